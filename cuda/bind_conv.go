//go:build cuda && linux

package cuda

import (
	"fmt"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// taps returns a convolution's weight as [groups][KH·KW·C/groups][ld].
func taps(p *graph.Param, a *graph.ConvOp) (w *weight, ld int) {
	cg, og, n := a.C/a.Groups, a.O/a.Groups, a.KH*a.KW
	ld = ceil(og, 4) * 4
	return &weight{key: packKey{p, fmt.Sprint("taps of groups ", a.Groups)}, bytes: 4 * a.Groups * n * cg * ld, make: func() ([]byte, error) {
		v, err := p.Float32s()
		if err != nil {
			return nil, err
		}
		w := make([]float32, a.Groups*n*cg*ld)
		for o := range a.O {
			g := o / og
			for c := range cg {
				for t := range n {
					w[((g*n+t)*cg+c)*ld+o%og] = v[(o*cg+c)*n+t]
				}
			}
		}
		return bytesOf(w), nil
	}}, ld
}

func (d *Device) conv(op *graph.Op, a *graph.ConvOp) (graph.Step, error) {
	bias := plain(op.In[2])
	m := a.N * a.OutH * a.OutW
	if a.KH*a.KW*a.StrideH*a.StrideW*a.Groups == 1 && a.Pad == (graph.Pad{}) && op.In[4] == nil {
		w, ld := matrix(op.In[1].Param, graph.NK, a.C, a.O)
		return d.product(op, w, bias, m, a.O, a.C, a.C, ld, a.O, a.Act), nil
	}
	w, ld := taps(op.In[1].Param, a)
	og := a.O / a.Groups
	tile := d.tile(m, og, a.Groups)
	return launches(func(mem *memory) {
		args := cux.Put(args(mem.view(op.Out), mem.view(op.In[0])).Ptr(w.ptr(), bias.ptr()), mem.view(op.In[3])).Ptr(mem.at(op.In[4])).
			Int(a.N, a.H, a.W, a.C, a.O, a.KH, a.KW, a.StrideH, a.StrideW, a.DilH, a.DilW, a.Pad.Top, a.Pad.Left, a.OutH, a.OutW, a.Groups, ld, int(a.Act), int(a.NormAct))
		if m > 0 {
			mem.launch(fmt.Sprint("conv_", tile), cux.Grid{X: ceil(m, tile), Y: ceil(og, 64), Z: a.Groups}, args)
		}
	}, w, bias), nil
}

func (d *Device) maxPool(op *graph.Op, a *graph.MaxPoolOp) (graph.Step, error) {
	return launches(func(m *memory) {
		y, x, each := m.view(op.Out), m.view(op.In[0]), 1
		if a.C%4 == 0 && (y.at|x.at)%16 == 0 {
			each = 4
		}
		m.each("max_pool", a.N*a.OutH*a.OutW*a.C/each, args(y, x).Int(a.H, a.W, a.C, a.K, a.Stride, a.Pad, a.OutH, a.OutW, each))
	}), nil
}

func (d *Device) upsample(op *graph.Op, a *graph.UpsampleOp) (graph.Step, error) {
	return launches(func(m *memory) {
		y, x := m.view(op.Out), m.view(op.In[0])
		if per := 16 / y.size(); y.kind == x.kind && a.C%per == 0 && (y.at|x.at)%16 == 0 {
			m.each("upsample_words", a.N*a.OutH*a.OutW*a.C/per, new(cux.Args).Ptr(y.at, x.at).Int(a.H, a.W, a.C/per, a.OutH, a.OutW))
			return
		}
		m.each("upsample", a.N*a.OutH*a.OutW*a.C, args(m.view(op.Out), m.view(op.In[0])).Int(a.H, a.W, a.C, a.OutH, a.OutW))
	}), nil
}
