package devtest

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

func convCases() []testCase {
	var all []testCase
	one := graph.Pad{Top: 1, Left: 1, Bottom: 1, Right: 1}
	for _, c := range []struct {
		h, w, c, o, k int
		opts          graph.ConvOpts
	}{
		{1, 1, 1, 1, 1, graph.ConvOpts{}},
		{5, 7, 3, 5, 1, graph.ConvOpts{}},
		{6, 5, 16, 33, 1, graph.ConvOpts{}},
		{7, 9, 24, 16, 1, graph.ConvOpts{Stride: 2}},
		{5, 7, 3, 4, 3, graph.ConvOpts{Pad: one}},
		{13, 11, 17, 19, 3, graph.ConvOpts{Pad: one}},
		{14, 14, 32, 32, 3, graph.ConvOpts{Pad: one}},
		{15, 13, 8, 24, 3, graph.ConvOpts{Pad: one, Stride: 2}},
		{9, 9, 5, 6, 3, graph.ConvOpts{Pad: graph.Pad{Right: 1, Bottom: 1}, Stride: 2}},
		{9, 12, 4, 7, 3, graph.ConvOpts{Pad: graph.Pad{Top: 2, Left: 2, Bottom: 2, Right: 2}, Dilation: 2}},
		{21, 17, 3, 18, 7, graph.ConvOpts{Pad: graph.Pad{Top: 3, Left: 3, Bottom: 3, Right: 3}, Stride: 2}},
		{16, 24, 3, 20, 8, graph.ConvOpts{Stride: 8}},
		{8, 7, 12, 18, 3, graph.ConvOpts{Pad: one, Groups: 3}},
		{8, 7, 19, 19, 3, graph.ConvOpts{Pad: one, Groups: 19}},
		{3, 3, 6, 5, 3, graph.ConvOpts{}},
	} {
		for _, full := range []bool{false, true} {
			name := fmt.Sprintf("Conv2D/%dx%dx%d to %d, %dx%d, stride %d, dilation %d, groups %d, pad %v", c.h, c.w, c.c, c.o, c.k, c.k, max(c.opts.Stride, 1), max(c.opts.Dilation, 1), max(c.opts.Groups, 1), c.opts.Pad)
			if full {
				name += "/bias+residual+relu"
			}
			all = append(all, testCase{name: name, tol: products, record: func(k *kit, b *graph.Builder) {
				o := c.opts
				w := k.weight("weight", c.o, c.c/max(o.Groups, 1), c.k, c.k)
				x := k.in(b, "x", c.h, c.w, c.c)
				if full {
					g := b.Conv2D(x, w, o) // for its shape alone: nothing reads it
					o.Bias, o.Residual, o.Act = k.weight("bias", c.o), k.in(b, "residual", g.Shape()[1:]...), ref.ReLU
				}
				k.out(b, "y", b.Conv2D(x, w, o))
			}})
		}
	}
	for _, c := range []struct {
		h, w, c, o, k, groups int
		opts                  graph.ConvOpts
	}{
		{1, 1, 2, 1, 1, 1, graph.ConvOpts{}},
		{5, 7, 6, 5, 1, 3, graph.ConvOpts{}},
		{7, 9, 24, 16, 3, 4, graph.ConvOpts{Pad: one}},
		{16, 14, 64, 48, 3, 32, graph.ConvOpts{Pad: one}},
		{9, 9, 8, 6, 3, 2, graph.ConvOpts{Pad: graph.Pad{Right: 1, Bottom: 1}, Stride: 2}},
		{8, 7, 12, 18, 3, 6, graph.ConvOpts{Pad: one, Groups: 3}},
		{8, 7, 19, 19, 3, 1, graph.ConvOpts{Pad: one, Groups: 19}},
		{9, 12, 4, 7, 3, 4, graph.ConvOpts{Pad: graph.Pad{Top: 2, Left: 2, Bottom: 2, Right: 2}, Dilation: 2}},
		{13, 15, 3, 18, 7, 1, graph.ConvOpts{Pad: graph.Pad{Top: 3, Left: 3, Bottom: 3, Right: 3}, Stride: 2}},
		{16, 24, 3, 20, 8, 3, graph.ConvOpts{Stride: 8}},
	} {
		for _, act := range []graph.Act{ref.None, ref.SiLU} {
			all = append(all, testCase{name: fmt.Sprintf("Conv2D/norm of %dx%dx%d in %d, %v, to %d, %dx%d, stride %d, groups %d", c.h, c.w, c.c, c.groups, act, c.o, c.k, c.k, max(c.opts.Stride, 1), max(c.opts.Groups, 1)), tol: 2 * products, record: func(k *kit, b *graph.Builder) {
				o := c.opts
				o.Norm = &graph.Norm{Weight: k.weight("w", c.c), Bias: k.weight("b", c.c), Groups: c.groups, Eps: 1e-3, Act: act}
				y := b.Conv2D(k.in(b, "x", c.h, c.w, c.c), k.weight("weight", c.o, c.c/max(o.Groups, 1), c.k, c.k), o)
				k.out(b, "y", b.Add(y, k.in(b, "residual", y.Shape()[1:]...)))
			}})
		}
	}
	for _, c := range [][6]int{{4, 4, 1, 2, 2, 0}, {7, 5, 3, 3, 2, 1}, {9, 10, 19, 3, 1, 1}, {3, 3, 16, 3, 3, 0}, {12, 11, 64, 3, 2, 1}} {
		all = append(all, testCase{name: fmt.Sprintf("MaxPool/%dx%dx%d, %d, stride %d, pad %d", c[0], c[1], c[2], c[3], c[4], c[5]), record: func(k *kit, b *graph.Builder) {
			k.out(b, "y", b.MaxPool(k.in(b, "x", c[0], c[1], c[2]), c[3], c[4], c[5]))
		}})
	}
	for _, c := range [][5]int{{1, 1, 1, 1, 1}, {3, 5, 7, 6, 10}, {4, 4, 17, 7, 9}, {5, 6, 3, 2, 3}, {8, 8, 32, 16, 16}} {
		all = append(all, testCase{name: fmt.Sprintf("Upsample/%dx%dx%d to %dx%d", c[0], c[1], c[2], c[3], c[4]), record: func(k *kit, b *graph.Builder) {
			k.out(b, "y", b.Upsample(k.in(b, "x", c[0], c[1], c[2]), c[3], c[4]))
		}})
	}
	return all
}
