//go:build unix

package narrow

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/conv"
	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

type convolution struct {
	conv.Spec
	x, w, bias, res []float32
	norm            *conv.Norm
}

func newConvolution(t *testing.T, s conv.Spec, atEnd bool) *convolution {
	r := rand.New(rand.NewPCG(uint64(s.C), uint64(s.H*s.W)))
	c := &convolution{Spec: s, x: normal(r, guarded(t, s.N*s.H*s.W*s.C, atEnd)), w: normal(r, make([]float32, s.O*s.C*s.KH*s.KW))}
	if s.Bias {
		c.bias = normal(r, guarded(t, s.O, atEnd))
	}
	if s.Residual {
		c.res = normal(r, guarded(t, s.N*s.OutH()*s.OutW()*s.O, atEnd))
	}
	if s.Norm {
		c.norm = &conv.Norm{Scale: normal(r, guarded(t, s.N*s.C, atEnd)), Shift: normal(r, guarded(t, s.N*s.C, atEnd))}
	}
	return c
}

func (c *convolution) reference(k *Kernel) []float32 {
	one := func(v int) int { return max(v, 1) }
	g := ref.Conv2D{N: c.N, H: c.H, W: c.W, C: c.C, O: c.O, KH: c.KH, KW: c.KW, StrideH: one(c.StrideH), StrideW: one(c.StrideW),
		PadT: c.PadT, PadL: c.PadL, PadB: c.PadB, PadR: c.PadR, DilH: one(c.DilH), DilW: one(c.DilW), Groups: 1}
	x, want := make([]float32, len(c.x)), make([]float64, c.N*g.OutH()*g.OutW()*c.O)
	copy(x, c.x)
	if c.Norm {
		ref.ScaleShift(x, c.x, c.norm.Scale, c.norm.Shift, c.N, c.H*c.W, c.C, c.NormAct)
	}
	w, taps := make([]float32, len(c.w)), c.KH*c.KW
	for o := range c.O { // the taps' channels are rows
		v := c.w[o*c.C*taps:][:c.C*taps]
		copy(w[o*c.C*taps:], transposed(k.round(transposed(v, taps), c.C, true), c.C))
	}
	ref.Convolve(want, k.round(x, c.C, false), w, c.bias, c.res, g, c.Act)
	y := make([]float32, len(want))
	for i, v := range want {
		y[i] = float32(v)
	}
	return y
}

// run convolves n pictures from the first on.
func (c *convolution) run(t *testing.T, k *Kernel, workers, first, n int, atEnd bool) []float32 {
	pool := par.New(workers)
	defer pool.Close()
	s := c.Spec
	s.N = n
	o := NewConv(k, pool, s)
	w := o.PackTaps(c.w)
	require.Equal(t, o.WeightBytes(), w.Bytes())
	in, out := s.H*s.W*s.C, s.OutH()*s.OutW()*s.O
	y := nan(guarded(t, n*out, atEnd))
	res, norm := c.res, c.norm
	if s.Residual {
		res = res[first*out : (first+n)*out]
	}
	if s.Norm {
		norm = &conv.Norm{Scale: norm.Scale[first*s.C : (first+n)*s.C], Shift: norm.Shift[first*s.C : (first+n)*s.C]}
	}
	o.Run(y, c.x[first*in:(first+n)*in], w, c.bias, res, norm, nan(guarded(t, o.Workspace(), true)))
	return y
}

func same3(n, h, w, c, o int) conv.Spec {
	return conv.Spec{N: n, H: h, W: w, C: c, O: o, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1}
}

func convCases() []conv.Spec {
	list := []conv.Spec{
		same3(1, 8, 8, 32, 32), same3(2, 8, 8, 40, 33), same3(3, 5, 7, 64, 4), same3(2, 1, 1, 16, 5), same3(1, 16, 16, 320, 64), same3(1, 64, 64, 48, 20),
		{N: 2, H: 9, W: 5, C: 33, O: 40, KH: 1, KW: 1},
		{N: 2, H: 9, W: 6, C: 32, O: 40, KH: 1, KW: 1, StrideH: 2, StrideW: 2},
		{N: 1, H: 16, W: 17, C: 32, O: 16, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 2, H: 16, W: 16, C: 20, O: 16, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadB: 1, PadR: 1},
		{N: 1, H: 13, W: 19, C: 16, O: 36, KH: 5, KW: 2, StrideH: 3, StrideW: 2, DilH: 2, DilW: 3, PadT: 2, PadR: 3},
		{N: 1, H: 7, W: 7, C: 16, O: 8, KH: 7, KW: 7},
		{N: 1, H: 6, W: 6, C: 16, O: 8, KH: 2, KW: 2, StrideH: 3, StrideW: 3},
	}
	for i := range list {
		list[i].Bias, list[i].Residual, list[i].Norm = i%2 == 0, i%3 == 1, i%4 < 2
		list[i].NormAct = []ref.Act{ref.SiLU, ref.None}[i%2]
		list[i].Act = []ref.Act{ref.None, ref.ReLU, ref.None, ref.SiLU}[i%4]
	}
	return list
}

func TestConv(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		for _, s := range convCases() {
			for _, atEnd := range []bool{true, false} {
				c := newConvolution(t, s, atEnd)
				limit := sumError
				if s.Norm { // a value near the middle of two may be rounded the other way
					limit = 1e-4
				}
				require.LessOrEqual(t, relErr(c.reference(k), c.run(t, k, 2, 0, s.N, atEnd)), limit, "%+v", s)
			}
		}
	})
}

// A picture that isn't one region, and several super-blocks.
func TestConvLarge(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		for _, s := range []conv.Spec{same3(2, 90, 150, 64, 8), {N: 1, H: 100, W: 90, C: 96, O: 6, KH: 3, KW: 3, StrideH: 2, StrideW: 2}} {
			c := newConvolution(t, s, true)
			got := c.run(t, k, 1, 0, s.N, true)
			require.LessOrEqual(t, relErr(c.reference(k), got), sumError, "%+v", s)
			same(t, got, c.run(t, k, 2, 0, s.N, true), "two threads")
		}
	})
}

// A picture's bits are those of the picture alone, on any number of threads.
func TestConvBits(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		for _, s := range convCases() {
			c := newConvolution(t, s, true)
			want := c.run(t, k, 1, 0, s.N, true)
			same(t, want, c.run(t, k, 3, 0, s.N, true), "three threads")
			for n := range s.N {
				size := len(want) / s.N
				same(t, want[n*size:(n+1)*size], c.run(t, k, 2, n, 1, true), fmt.Sprintf("picture %d of %+v", n, s))
			}
		}
	})
}

// A NaN reaches the outputs whose receptive fields hold it and no other.
func TestConvNonFinite(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		s := same3(2, 6, 9, 32, 5)
		c := newConvolution(t, s, true)
		c.x[((1*6+5)*9+8)*32+31] = float32(math.NaN())
		for i, v := range c.run(t, k, 1, 0, s.N, true) {
			p := i / s.O
			touched := p/54 == 1 && p%54/9 >= 4 && p%9 >= 7
			require.Equal(t, touched, math.IsNaN(float64(v)), "pixel %d", p)
		}
	})
}

func TestRunsDoNotAllocate(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		s := same3(2, 20, 20, 64, 40)
		s.Norm, s.NormAct, s.Bias, s.Act = true, ref.SiLU, true, ref.SiLU
		c := newConvolution(t, s, true)
		o := NewConv(k, pool, s)
		w, y, ws := o.PackTaps(c.w), make([]float32, 2*20*20*40), make([]float32, o.Workspace())
		require.Zero(t, testing.AllocsPerRun(10, func() { o.Run(y, c.x, w, c.bias, nil, c.norm, ws) }))
	})
}

func TestImpossibleShapesPanic(t *testing.T) {
	eachKernel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(1)
		grouped := same3(1, 8, 8, 32, 32)
		grouped.Groups = 2
		require.False(t, k.FitsConv(grouped, conv.Direct))
		require.Panics(t, func() { NewConv(k, pool, grouped) })
		require.False(t, k.FitsConv(same3(1, 8, 8, 3, 32), conv.Direct))
		require.Equal(t, k.with != isa.AVX512VNNI, k.FitsConv(same3(1, 8, 8, 32, 4), conv.Direct))
		require.True(t, k.FitsConv(same3(1, 8, 8, 64, 16), conv.WinogradF2))
		require.Equal(t, k.with != isa.AVX512BF16, k.FitsConv(same3(1, 64, 64, 64, 64), conv.WinogradF4))
		s := same3(1, 8, 8, 32, 32)
		o := NewConv(k, pool, s)
		f := func(n int) []float32 { return make([]float32, n) }
		w := o.PackTaps(f(32 * 32 * 9))
		o.Run(f(2048), f(2048), w, nil, nil, nil, f(o.Workspace()))
		require.Panics(t, func() { o.Run(f(2047), f(2048), w, nil, nil, nil, f(o.Workspace())) })
		require.Panics(t, func() { o.Run(f(2048), f(2047), w, nil, nil, nil, f(o.Workspace())) })
		require.Panics(t, func() { o.Run(f(2048), f(2048), w, nil, nil, nil, f(o.Workspace()-1)) })
		require.Panics(t, func() { o.PackTaps(f(32 * 32 * 8)) })
	})
}
