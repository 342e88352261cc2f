package devtest

import (
	"fmt"
	"math"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// evaluate returns the function that computes an operation.
func evaluate(op *graph.Op) (eval, error) {
	in := op.In
	switch a := op.Attr.(type) {
	case *graph.LinearOp:
		return func(m *refMemory, out []float32) error {
			w := byInput(m.f32(in[1]), a.K, a.N, a.Layout)
			ref.GEMM(out, m.f32(in[0]), w, m.f32(in[2]), m.f32(in[3]), 1, a.Act, a.M, a.N, a.K)
			return nil
		}, nil
	case *graph.MatMulOp:
		return func(m *refMemory, out []float32) error {
			x, y := m.f32(in[0]), m.f32(in[1])
			for i := range a.Batch {
				w := byInput(y[i*a.K*a.N:(i+1)*a.K*a.N], a.K, a.N, a.Layout)
				ref.GEMM(out[i*a.M*a.N:], x[i*a.M*a.K:], w, nil, nil, float64(a.Scale), ref.None, a.M, a.N, a.K)
			}
			return nil
		}, nil
	case *graph.RowDotsOp:
		return func(m *refMemory, out []float32) error {
			ref.GEMM(out, m.f32(in[0]), byInput(m.f32(in[1]), a.D, a.M, graph.NK), nil, nil, 1, ref.None, a.B, a.M, a.D)
			return nil
		}, nil
	case *graph.RowSumOp:
		return func(m *refMemory, out []float32) error {
			ref.GEMM(out, m.f32(in[0]), m.f32(in[1]), nil, nil, 1, ref.None, a.B, a.D, a.M)
			return nil
		}, nil
	case *graph.ConvOp:
		return func(m *refMemory, out []float32) error {
			wide, x := make([]float64, len(out)), m.f32(in[0])
			if stats := m.f32(in[4]); stats != nil {
				x = normalized(x, stats, a)
			}
			ref.Convolve(wide, x, m.f32(in[1]), m.f32(in[2]), m.f32(in[3]), ref.Conv2D{
				N: a.N, H: a.H, W: a.W, C: a.C, O: a.O, KH: a.KH, KW: a.KW, StrideH: a.StrideH, StrideW: a.StrideW,
				PadT: a.Pad.Top, PadL: a.Pad.Left, PadB: a.Pad.Bottom, PadR: a.Pad.Right, DilH: a.DilH, DilW: a.DilW, Groups: a.Groups,
			}, a.Act)
			narrow(out, wide)
			return nil
		}, nil
	case *graph.MaxPoolOp:
		return func(m *refMemory, out []float32) error {
			ref.MaxPool(out, m.f32(in[0]), ref.Conv2D{
				N: a.N, H: a.H, W: a.W, C: a.C, KH: a.K, KW: a.K, StrideH: a.Stride, StrideW: a.Stride,
				PadT: a.Pad, PadL: a.Pad, PadB: a.Pad, PadR: a.Pad, DilH: 1, DilW: 1,
			})
			return nil
		}, nil
	case *graph.UpsampleOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range out {
				n, p, q, c := i/(a.OutH*a.OutW*a.C), i/(a.OutW*a.C)%a.OutH, i/a.C%a.OutW, i%a.C
				out[i] = x[((n*a.H+p*a.H/a.OutH)*a.W+q*a.W/a.OutW)*a.C+c]
			}
			return nil
		}, nil
	case *graph.AttentionOp:
		return func(m *refMemory, out []float32) error { return attention(m, out, op, a) }, nil
	}
	if e := evaluateNorm(op); e != nil {
		return e, nil
	}
	if e := evaluateElem(op); e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("no reference for %s", op.Attr.Kind())
}

// normalized returns a convolution's input after its prologue.
func normalized(x, stats []float32, a *graph.ConvOp) []float32 {
	out, nc := make([]float32, len(x)), a.N*a.C
	for i, v := range x {
		at := i/(a.H*a.W*a.C)*a.C + i%a.C
		out[i] = float32(a.NormAct.Apply(float64(v)*float64(stats[at]) + float64(stats[nc+at])))
	}
	return out
}

// groupMoments returns the mean and the inverse deviation of the group of
// channel c in picture n of [N,HW,C], groups being per channels wide.
func groupMoments(x []float32, n, c, hw, channels, per int, eps float32) (mean, inv float64) {
	var group []float32
	for p := range hw {
		at := (n*hw+p)*channels + c/per*per
		group = append(group, x[at:at+per]...)
	}
	return moments(group, eps)
}

// byInput returns a matrix as [K,N].
func byInput(w []float32, k, n int, layout graph.Layout) []float32 {
	if layout == graph.KN {
		return w
	}
	t := make([]float32, k*n)
	for i := range t {
		t[i] = w[i%n*k+i/n]
	}
	return t
}

func narrow(out []float32, wide []float64) {
	for i, v := range wide {
		out[i] = float32(v)
	}
}

// attention copies the heads out of their rows and the keys in use, and leaves
// the rest to the specification.
func attention(m *refMemory, out []float32, op *graph.Op, a *graph.AttentionOp) error {
	lk := a.LK
	if op.In[4] != nil {
		if lk = int(m.i32(op.In[4])[0]); lk < 0 || lk > a.LK {
			return fmt.Errorf("%d keys of %d", lk, a.LK)
		}
	}
	dense := func(n *graph.Node, l, used, off, stride int) []float32 {
		x, c := m.f32(n), a.Heads*a.D
		var d []float32
		for b := range a.B {
			for t := range used {
				d = append(d, x[(b*l+t)*stride+off:][:c]...)
			}
		}
		return d
	}
	var mask []float32
	if all := m.f32(op.In[3]); all != nil {
		mask = []float32{}
		for b := range a.B {
			mask = append(mask, all[b*a.LK:][:lk]...)
		}
	}
	wide := make([]float64, len(out))
	spec := ref.Attention{B: a.B, H: a.Heads, LQ: a.LQ, LK: lk, D: a.D, Scale: float64(a.Scale), Causal: a.Causal}
	spec.Run(wide, nil, dense(op.In[0], a.LQ, a.LQ, a.QOff, a.StrideQ), dense(op.In[1], a.LK, lk, a.KOff, a.StrideK), dense(op.In[2], a.LK, lk, a.VOff, a.StrideV), mask)
	narrow(out, wide)
	return nil
}

// evaluateNorm covers the operations on rows and groups; nil for others.
func evaluateNorm(op *graph.Op) eval {
	in := op.In
	switch a := op.Attr.(type) {
	case *graph.LayerNormOp:
		return func(m *refMemory, out []float32) error {
			x, w, b := m.f32(in[0]), m.f32(in[1]), m.f32(in[2])
			for i := range a.M {
				row := x[i*a.C : (i+1)*a.C]
				mean, inv := moments(row, a.Eps)
				for c, v := range row {
					out[i*a.C+c] = float32((float64(v)-mean)*inv*float64(w[c]) + float64(b[c]))
				}
			}
			return nil
		}
	case *graph.GroupNormOp:
		return func(m *refMemory, out []float32) error {
			x, w, b := m.f32(in[0]), m.f32(in[1]), m.f32(in[2])
			for n := range a.N {
				for c := range a.C {
					mean, inv := groupMoments(x, n, c, a.HW, a.C, a.C/a.Groups, a.Eps)
					for p := range a.HW {
						i := (n*a.HW+p)*a.C + c
						out[i] = float32(a.Act.Apply((float64(x[i])-mean)*inv*float64(w[c]) + float64(b[c])))
					}
				}
			}
			return nil
		}
	case *graph.GroupNormStatsOp:
		return func(m *refMemory, out []float32) error {
			x, w, b := m.f32(in[0]), m.f32(in[1]), m.f32(in[2])
			for i := range a.N * a.C {
				c := i % a.C
				mean, inv := groupMoments(x, i/a.C, c, a.HW, a.C, a.C/a.Groups, a.Eps)
				out[i] = float32(inv * float64(w[c]))
				out[a.N*a.C+i] = float32(float64(b[c]) - mean*inv*float64(w[c]))
			}
			return nil
		}
	case *graph.SoftmaxOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range a.M {
				row := x[i*a.C : (i+1)*a.C]
				top, sum := exponentials(row, float64(a.Scale))
				for c, v := range row {
					z := float64(v)*float64(a.Scale) - top
					if a.Log {
						out[i*a.C+c] = float32(z - math.Log(sum))
					} else {
						out[i*a.C+c] = float32(math.Exp(z) / sum)
					}
				}
			}
			return nil
		}
	case *graph.NormalizerOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range a.M {
				top, sum := exponentials(x[i*a.C:(i+1)*a.C], 1)
				out[2*i], out[2*i+1] = float32(top), float32(sum)
			}
			return nil
		}
	case *graph.L2NormOp:
		return func(m *refMemory, out []float32) error {
			x := m.f32(in[0])
			for i := range a.M {
				sum := 0.0
				for _, v := range x[i*a.C : (i+1)*a.C] {
					sum += float64(v) * float64(v)
				}
				if sum == 0 {
					sum = 1
				}
				for c := i * a.C; c < (i+1)*a.C; c++ {
					out[c] = float32(float64(x[c]) / math.Sqrt(sum))
				}
			}
			return nil
		}
	}
	return nil
}

// moments returns the mean and 1/√(variance+eps).
func moments(x []float32, eps float32) (mean, inv float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	sum := 0.0
	for _, v := range x {
		sum += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, 1 / math.Sqrt(sum/float64(len(x))+float64(eps))
}

// exponentials returns the largest of scale·x and Σexp(scale·x - largest).
func exponentials(x []float32, scale float64) (top, sum float64) {
	top = math.Inf(-1)
	for _, v := range x {
		top = max(top, scale*float64(v))
	}
	for _, v := range x {
		sum += math.Exp(scale*float64(v) - top)
	}
	return top, sum
}
