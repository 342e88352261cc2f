package conv

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// geometries covers tails of channels and rows, pads, strides, dilations,
// groups, and both ways of tasks.
func geometries() []Spec {
	s := []Spec{
		{N: 1, H: 1, W: 1, C: 1, O: 1, KH: 1, KW: 1},
		{N: 2, H: 5, W: 7, C: 17, O: 33, KH: 1, KW: 1},
		{N: 1, H: 6, W: 5, C: 9, O: 20, KH: 1, KW: 1, StrideH: 2, StrideW: 2},
		{N: 2, H: 9, W: 10, C: 5, O: 7, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 1, H: 13, W: 11, C: 16, O: 35, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, StrideH: 2, StrideW: 2},
		{N: 1, H: 8, W: 9, C: 4, O: 6, KH: 3, KW: 3, PadB: 1, PadR: 1, StrideH: 2, StrideW: 2},
		{N: 1, H: 20, W: 23, C: 3, O: 19, KH: 7, KW: 7, PadT: 3, PadL: 3, PadB: 3, PadR: 3, StrideH: 2, StrideW: 2},
		{N: 2, H: 21, W: 41, C: 3, O: 64, KH: 7, KW: 7, PadT: 3, PadL: 2, PadB: 3, PadR: 1, StrideH: 2, StrideW: 2},
		{N: 1, H: 9, W: 17, C: 4, O: 96, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, DilH: 2},
		{N: 2, H: 16, W: 24, C: 3, O: 10, KH: 8, KW: 8, StrideH: 8, StrideW: 8},
		{N: 1, H: 9, W: 9, C: 6, O: 4, KH: 3, KW: 3, PadT: 2, PadL: 2, PadB: 2, PadR: 2, DilH: 2, DilW: 2},
		{N: 1, H: 7, W: 12, C: 3, O: 5, KH: 3, KW: 5, PadT: 1, PadL: 2, PadB: 0, PadR: 3, StrideH: 2, DilW: 2},
		{N: 2, H: 6, W: 6, C: 6, O: 8, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 2},
		{N: 1, H: 6, W: 5, C: 12, O: 6, KH: 1, KW: 1, Groups: 3},
		{N: 2, H: 6, W: 7, C: 21, O: 21, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 21},
		{N: 1, H: 5, W: 5, C: 4, O: 8, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Groups: 4, StrideW: 2},
		{N: 1, H: 2, W: 3, C: 3, O: 2, KH: 3, KW: 3, PadT: 4, PadL: 4, PadB: 4, PadR: 4}, // windows wholly in padding
		{N: 1, H: 3, W: 2, C: 300, O: 40, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 2, H: 4, W: 5, C: 520, O: 170, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
		{N: 1, H: 3, W: 40, C: 40, O: 92, KH: 3, KW: 3, PadL: 1, PadR: 1},
	}
	return s
}

func name(s Spec) string {
	g := s.geometry()
	return fmt.Sprintf("%v/%dx%dx%dx%d_o%d_k%dx%d_s%dx%d_p%d.%d.%d.%d_d%dx%d_g%d_%v%v%v%v%v", s.Algorithm, g.N, g.H, g.W, g.C, g.O, g.KH, g.KW,
		g.StrideH, g.StrideW, g.PadT, g.PadL, g.PadB, g.PadR, g.DilH, g.DilW, g.Groups, s.Bias, s.Residual, s.Act, s.Norm, s.NormAct)
}

// tolerance is the relative L2 error that an algorithm promises.
func tolerance(a Algo) float64 {
	switch a {
	case WinogradF2:
		return ErrorF2
	case WinogradF4:
		return ErrorF4
	}
	return ErrorDirect
}

func TestMatchesReference(t *testing.T) {
	fusions := []Spec{
		{},
		{Bias: true, Act: ref.ReLU},
		{Residual: true},
		{Bias: true, Residual: true, Act: ref.SiLU, Norm: true, NormAct: ref.SiLU},
		{Norm: true, Bias: true, Residual: true, Act: ref.ReLU},
	}
	type testCase struct {
		spec Spec
		in   *operands
		want []float64
	}
	var cases []testCase
	for i, s := range geometries() {
		for j, f := range fusions {
			s.Bias, s.Residual, s.Act, s.Norm, s.NormAct = f.Bias, f.Residual, f.Act, f.Norm, f.NormAct
			o := makeOperands(t, s, uint64(i*10+j))
			cases = append(cases, testCase{s, o, o.reference(s)})
		}
	}
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for i, c := range cases {
			for _, c.spec.Algorithm = range []Algo{Auto, Direct, WinogradF2, WinogradF4, Depthwise} {
				if c.spec.Check() != nil {
					continue
				}
				workers := 1 + i%3
				op := c.in.run(t, k, workers, c.spec)
				// Pictures smaller than a tile: most of it is padding.
				require.LessOrEqual(t, relErr(c.want, c.in.dst), 1.5*tolerance(op.Algorithm()), "%s on %d workers", name(c.spec), workers)
			}
		}
	})
}

// Random sizes reach combinations that the list above does not name.
func TestMatchesReferenceOnRandomShapes(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(7, 7))
		for i := range 150 {
			s := Spec{N: 1 + r.IntN(3), H: 1 + r.IntN(14), W: 1 + r.IntN(40), C: 1 + r.IntN(40), O: 1 + r.IntN(70), KH: 1 + r.IntN(4), KW: 1 + r.IntN(4),
				StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), PadT: r.IntN(3), PadL: r.IntN(3), PadB: r.IntN(3), PadR: r.IntN(3),
				DilH: 1 + r.IntN(2), DilW: 1 + r.IntN(2), Groups: 1 + r.IntN(2)*r.IntN(3),
				Bias: r.IntN(2) == 0, Residual: r.IntN(2) == 0, Act: ref.Act(r.IntN(3)), Norm: r.IntN(3) == 0, NormAct: ref.SiLU}
			if i%2 == 0 {
				s.KH, s.KW, s.StrideH, s.StrideW, s.DilH, s.DilW, s.Groups = 3, 3, 1, 1, 1, 1, 1
				s.Algorithm = []Algo{WinogradF2, WinogradF4}[i/2%2]
			}
			s.C, s.O = s.C*max(1, s.Groups), s.O*max(1, s.Groups)
			if s.Check() != nil {
				continue
			}
			o := makeOperands(t, s, uint64(i))
			op := o.run(t, k, 1+i%3, s)
			require.LessOrEqual(t, relErr(o.reference(s), o.dst), 2*tolerance(op.Algorithm()), name(s))
		}
	})
}

// Neither the workers nor the pictures beside it may change a picture's bits.
func TestBitsDependOnNeitherWorkersNorBatch(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, s := range []Spec{
			{H: 13, W: 11, C: 37, O: 67, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
			{H: 4, W: 4, C: 400, O: 200, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1},
			{H: 9, W: 14, C: 65, O: 40, KH: 1, KW: 1},
			{H: 19, W: 33, C: 3, O: 32, KH: 7, KW: 7, PadT: 3, PadL: 3, PadB: 3, PadR: 3, StrideH: 2, StrideW: 2},
			{H: 12, W: 9, C: 6, O: 6, KH: 3, KW: 3, StrideH: 2, Groups: 6},
		} {
			for _, s.Algorithm = range []Algo{Direct, WinogradF2, WinogradF4, Depthwise} {
				for _, s.Norm = range []bool{false, true} {
					s.N, s.NormAct, s.Bias, s.Act = 3, ref.SiLU, true, ref.SiLU
					if s.Check() != nil {
						continue
					}
					o := makeOperands(t, s, 3)
					o.run(t, k, 1, s)
					one := append([]float32(nil), o.dst...)
					for _, workers := range []int{2, 3, 5} {
						o.run(t, k, workers, s)
						requireSameBits(t, one, o.dst, name(s))
					}
					per, in := len(one)/3, len(o.x)/3
					s.N = 1
					for n := range 3 {
						p := *o
						p.x, p.dst = o.x[n*in:(n+1)*in], make([]float32, per)
						if s.Norm {
							p.norm = &Norm{o.norm.Scale[n*s.C : (n+1)*s.C], o.norm.Shift[n*s.C : (n+1)*s.C]}
						}
						p.run(t, k, 2, s)
						requireSameBits(t, one[n*per:(n+1)*per], p.dst, name(s))
					}
				}
			}
		}
	})
}

func requireSameBits(t *testing.T, want, got []float32, msg string) {
	t.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			require.Equal(t, want[i], got[i], "%s at %d", msg, i)
		}
	}
}

// A NaN or an infinity reaches exactly the outputs whose windows hold it; with
// Winograd at least those, and no tile that does not read it.
func TestNaNAndInf(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, algo := range []Algo{Direct, WinogradF2, WinogradF4} {
			for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
				s := Spec{N: 1, H: 16, W: 16, C: 19, O: 34, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Act: ref.ReLU, Algorithm: algo}
				o := makeOperands(t, s, 1)
				o.x[(6*16+9)*19+18] = bad
				o.run(t, k, 2, s)
				for h := range 16 {
					for w := range 16 {
						reads := h >= 5 && h <= 7 && w >= 8 && w <= 10
						near := h >= 2 && h <= 10 && w >= 5 && w <= 13
						for _, v := range o.dst[(h*16+w)*34:][:34] {
							f := float64(v)
							switch {
							case reads && math.IsNaN(float64(bad)):
								require.True(t, math.IsNaN(f), "%v (%d,%d)", algo, h, w)
							case !reads && (algo == Direct || !near):
								require.False(t, math.IsNaN(f) || math.IsInf(f, 0), "%v (%d,%d)", algo, h, w)
							}
						}
					}
				}
			}
		}
	})
}

func TestRunDoesNotAllocate(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		pool := par.New(2)
		defer pool.Close()
		for _, s := range geometries() {
			s.Bias, s.Residual, s.Norm, s.NormAct, s.Act = true, true, true, ref.SiLU, ref.ReLU
			for _, s.Algorithm = range []Algo{Direct, WinogradF2, WinogradF4, Depthwise} {
				if s.Check() != nil {
					continue
				}
				o := makeOperands(t, s, 1)
				op := New(k, pool, s)
				w, ws := op.Pack(o.w), make([]float32, op.Workspace())
				require.Zero(t, testing.AllocsPerRun(20, func() { op.Run(o.dst, o.x, w, o.bias, o.residual, o.norm, ws) }), name(s))
			}
		}
	})
}

// Reading receptive fields in place must give the bits of gathering them.
func TestBandHasTheBitsOfDirect(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		s := Spec{N: 2, H: 20, W: 45, C: 3, O: 64, KH: 7, KW: 7, PadT: 3, PadL: 3, PadB: 3, PadR: 3, StrideH: 2, StrideW: 2, Bias: true, Act: ref.ReLU}
		o := makeOperands(t, s, 4)
		band := o.run(t, k, 2, s)
		require.Equal(t, k.bandTile != nil, band.bandShape())
		got := append([]float32(nil), o.dst...)
		gather := *k
		gather.bandTile = nil
		o.run(t, &gather, 2, s)
		requireSameBits(t, o.dst, got, name(s))
	})
}

func TestResidualMayBeDst(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, algo := range []Algo{Direct, WinogradF2, WinogradF4} {
			s := Spec{N: 1, H: 9, W: 7, C: 20, O: 40, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1, Residual: true, Algorithm: algo}
			o := makeOperands(t, s, 5)
			want := o.reference(s)
			pool := par.New(2)
			op := New(k, pool, s)
			op.Run(o.residual, o.x, op.Pack(o.w), nil, o.residual, nil, make([]float32, op.Workspace()))
			pool.Close()
			require.LessOrEqual(t, relErr(want, o.residual), tolerance(algo))
		}
	})
}

// Auto is exact unless told otherwise, and takes what pays.
func TestAutoChooses(t *testing.T) {
	pad := func(n, c, h, w, o, stride int, maxError float64) Spec {
		return Spec{N: n, C: c, H: h, W: w, O: o, KH: 3, KW: 3, StrideH: stride, StrideW: stride, PadT: 1, PadL: 1, PadB: 1, PadR: 1, MaxError: maxError}
	}
	for _, c := range []struct {
		s    Spec
		want Algo
	}{
		{pad(1, 320, 64, 64, 320, 1, 0), WinogradF2},
		{pad(1, 320, 64, 64, 320, 1, ErrorF4), WinogradF4},
		{pad(1, 320, 64, 64, 320, 2, ErrorF4), Direct},
		{pad(1, 1280, 8, 8, 1280, 1, ErrorF4), WinogradF2},
		{pad(1, 1280, 16, 16, 1280, 1, ErrorF4), WinogradF4},
		{pad(1, 1280, 16, 16, 1280, 1, 0), WinogradF2},
		{pad(1, 512, 25, 34, 512, 1, ErrorF4), WinogradF4},
		{pad(1, 128, 512, 512, 128, 1, ErrorF4), WinogradF4},
		{pad(1, 64, 200, 267, 64, 1, 0), WinogradF2},
		{pad(1, 4, 64, 64, 320, 1, ErrorF4), Direct},
		{Spec{N: 1, C: 8, H: 9, W: 9, O: 8, KH: 3, KW: 3, Groups: 8}, Depthwise},
		{Spec{N: 1, C: 3, H: 64, W: 64, O: 768, KH: 32, KW: 32, StrideH: 32, StrideW: 32, MaxError: 1}, Direct},
	} {
		for _, cost := range []costs{costsAVX512, costsAVX2} {
			for _, n := range []int{1, 16} { // a batch must not change the bits
				c.s.N = n
				require.Equal(t, c.want, c.s.choose(cost, 32), "%s %+v", name(c.s), cost)
			}
		}
	}
}

func TestWrongOperandsPanic(t *testing.T) {
	pool := par.New(1)
	defer pool.Close()
	k := For(0)
	s := Spec{N: 1, H: 4, W: 4, C: 2, O: 2, KH: 3, KW: 3, PadT: 1, PadL: 1, PadB: 1, PadR: 1}
	a := New(k, pool, s)
	s.Algorithm = WinogradF2
	b := New(k, pool, s)
	require.NotEqual(t, a.WeightsKey(), b.WeightsKey())
	w := b.Pack(make([]float32, 36))
	require.Panics(t, func() { a.Run(make([]float32, 32), make([]float32, 32), w, nil, nil, nil, nil) })
	require.Panics(t, func() {
		b.Run(make([]float32, 31), make([]float32, 32), w, nil, nil, nil, make([]float32, b.Workspace()))
	})
	require.Panics(t, func() { b.Pack(make([]float32, 35)) })
	s.StrideH = 2
	require.ErrorContains(t, s.Check(), "winograd-f2 does not compute")
	require.Panics(t, func() { New(k, pool, s) })
	require.ErrorContains(t, Spec{N: 1, H: 2, W: 2, C: 1, O: 1, KH: 3, KW: 3}.Check(), "doesn't fit")
	require.ErrorContains(t, Spec{N: 1, H: 2, W: 2, C: 3, O: 2, KH: 1, KW: 1, Groups: 2}.Check(), "groups")
}

// The goldens were computed by PyTorch in float64.
func TestGoldens(t *testing.T) {
	dir := filepath.Join(sharedDir(t), "golden")
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	require.NoError(t, err)
	type tensor struct {
		Tensor string
		Shape  []int
		Tol    float64
	}
	var manifest struct {
		Entries []struct {
			ID, File         string
			Stride, Padding  any
			Groups, Dilation int
			Inputs, Outputs  map[string]tensor
		}
	}
	require.NoError(t, json.Unmarshal(raw, &manifest))
	read := readSafetensors(t, filepath.Join(dir, "ops", "conv2d.safetensors"))
	pair := func(v any) (int, int) {
		if l, ok := v.([]any); ok {
			return int(l[0].(float64)), int(l[1].(float64))
		}
		f, _ := v.(float64)
		return int(f), int(f)
	}
	cases := 0
	for _, e := range manifest.Entries {
		if e.File != "ops/conv2d.safetensors" {
			continue
		}
		cases++
		x, w, out := e.Inputs["x"], e.Inputs["weight"], e.Outputs["out"]
		s := Spec{N: x.Shape[0], C: x.Shape[1], H: x.Shape[2], W: x.Shape[3], O: w.Shape[0], KH: w.Shape[2], KW: w.Shape[3],
			DilH: e.Dilation, DilW: e.Dilation, Groups: e.Groups}
		s.StrideH, s.StrideW = pair(e.Stride)
		s.PadT, s.PadL = pair(e.Padding)
		s.PadB, s.PadR = s.PadT, s.PadL
		if _, ok := e.Padding.(string); ok {
			s.PadB, s.PadR = 1, 1 // "pad (right 1, bottom 1) then 0"
		}
		require.Equal(t, out.Shape[2:], []int{s.OutH(), s.OutW()}, e.ID)
		var bias []float32
		if b, ok := e.Inputs["bias"]; ok {
			s.Bias, bias = true, read(b.Tensor)
		}
		want := toNHWC(read(out.Tensor), s.N, s.O, s.OutH(), s.OutW())
		eachLevel(t, func(t *testing.T, k *Kernel) {
			for _, s.Algorithm = range []Algo{Auto, Direct, WinogradF2, Depthwise} {
				if s.Check() != nil {
					continue
				}
				pool := par.New(2)
				defer pool.Close()
				op := New(k, pool, s)
				dst := make([]float32, len(want))
				op.Run(dst, toNHWC(read(x.Tensor), s.N, s.C, s.H, s.W), op.Pack(read(w.Tensor)), bias, nil, nil, make([]float32, op.Workspace()))
				want64 := make([]float64, len(want))
				for i, v := range want {
					want64[i] = float64(v)
				}
				require.LessOrEqual(t, relErr(want64, dst), out.Tol, "%s %v", e.ID, op.Algorithm())
			}
		})
	}
	require.GreaterOrEqual(t, cases, 10)
}
