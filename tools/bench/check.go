package bench

import (
	"math"

	"syntic/kernels/ref"
)

// checkCost is about how many multiply-adds a check spends on the reference,
// which takes some 50 ms: a part of the result, spread over all of it.
const checkCost = 4e7

// evenly returns up to most indices of [0,n), evenly spaced, the first and the
// last among them where there are two.
func evenly(n int, most float64) []int {
	k := int(max(1, min(float64(n), most)))
	at := make([]int, k)
	for i := range at {
		if k > 1 {
			at[i] = i * (n - 1) / (k - 1)
		}
	}
	return at
}

// errorSum adds up the normalised mean squared error, Σ(y-want)²/Σwant².
type errorSum struct{ diff, norm float64 }

func (e *errorSum) add(y float32, want float64) {
	d := float64(y) - want
	e.diff += d * d
	e.norm += want * want
}

// value returns the error; infinite when the result or reference isn't finite,
// so that it never passes for a small one.
func (e *errorSum) value() float64 {
	v := e.diff / e.norm
	if e.norm == 0 {
		v = e.diff
	}
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}

// gemmError compares some rows. Shapes: y [M,N], x [M,K], b [K,N].
func (w *Work) gemmError(y, x, b []float32) float64 {
	var e errorSum
	want := make([]float32, w.N)
	for _, i := range evenly(w.M, checkCost/float64(w.K)/float64(w.N)) {
		ref.GEMM(want, x[i*w.K:(i+1)*w.K], b, nil, nil, 1, ref.None, 1, w.N, w.K)
		for j, v := range want {
			e.add(y[i*w.N+j], float64(v))
		}
	}
	return e.value()
}

// convError compares the first, middle and last row of the last picture, in
// some output channels each. Shapes: y [B,OH,OW,Co], x [B,H,W,C],
// k [Co,C,Ks,Ks].
func (w *Work) convError(y, x, k []float32) float64 {
	pad := w.pad()
	oh, ow := ref.Out(w.H, w.Ks, w.S, 1, pad, pad), ref.Out(w.W, w.Ks, w.S, 1, pad, pad)
	y, x = y[(w.B-1)*oh*ow*w.Co:], x[(w.B-1)*w.H*w.W*w.C:]
	rows := evenly(oh, 3)
	taps := w.C * w.Ks * w.Ks
	channels := int(max(1, min(float64(w.Co), checkCost/float64(len(rows)*ow*taps))))
	var e errorSum
	want := make([]float64, ow*channels)
	for i, r := range rows {
		first := 0
		if len(rows) > 1 {
			first = i * (w.Co - channels) / (len(rows) - 1)
		}
		// The row sees the input's rows [top, top+Ks), partly padding.
		top := r*w.S - pad
		lo, hi := max(top, 0), min(top+w.Ks, w.H)
		ref.Convolve(want, x[lo*w.W*w.C:hi*w.W*w.C], k[first*taps:(first+channels)*taps], nil, nil, ref.Conv2D{
			N: 1, H: hi - lo, W: w.W, C: w.C, O: channels, KH: w.Ks, KW: w.Ks, StrideH: w.S, StrideW: w.S, DilH: 1, DilW: 1, Groups: 1,
			PadT: lo - top, PadB: top + w.Ks - hi, PadL: pad, PadR: pad,
		}, ref.None)
		for j, v := range want {
			e.add(y[(r*ow+j/channels)*w.Co+first+j%channels], v)
		}
	}
	return e.value()
}

// attnError compares some queries, all heads. Shapes: y and q [B,Lq,Hd·D],
// k and v [B,Lk,Hd·D].
func (w *Work) attnError(y, q, k, v []float32) float64 {
	var e errorSum
	n := w.Hd * w.D
	want := make([]float64, n)
	for _, i := range evenly(w.B*w.Lq, checkCost/float64(2*w.Lk*n)) {
		kv := i / w.Lq * w.Lk * n
		ref.Attention{B: 1, H: w.Hd, LQ: 1, LK: w.Lk, D: w.D}.Run(want, nil, q[i*n:(i+1)*n], k[kv:kv+w.Lk*n], v[kv:kv+w.Lk*n], nil)
		for j, t := range want {
			e.add(y[i*n+j], t)
		}
	}
	return e.value()
}

// opError compares some rows, elements or groups. weight and bias are those of
// norms.
func (w *Work) opError(y, x, weight, bias []float32) float64 {
	if w.Op == "groupnorm" {
		return w.groupNormError(y, x, weight, bias)
	}
	var e errorSum
	if act, ok := acts[w.Op]; ok {
		for _, i := range evenly(len(x), checkCost/100) {
			e.add(y[i], act.Apply(float64(x[i])))
		}
		return e.value()
	}
	c := w.Shape[len(w.Shape)-1]
	for _, i := range evenly(len(x)/c, checkCost/20/float64(c)) {
		row := x[i*c : (i+1)*c]
		var want []float64
		if w.Op == "softmax" {
			want = ref.Softmax(row, c, c, 1)
		} else {
			want = ref.LayerNorm(row, weight, bias, c, eps)
		}
		for j, v := range want {
			e.add(y[i*c+j], v)
		}
	}
	return e.value()
}

// groupNormError compares the first and the last group of the last picture.
// Shapes: y and x [N,H,W,C].
func (w *Work) groupNormError(y, x, weight, bias []float32) float64 {
	n, c, hw := w.Shape[0], w.Shape[1], w.Shape[2]*w.Shape[3]
	y, x = y[(n-1)*hw*c:], x[(n-1)*hw*c:]
	per := c / groups
	var e errorSum
	part := make([]float32, hw*per)
	for _, first := range []int{0, c - per} {
		for i := range hw {
			copy(part[i*per:(i+1)*per], x[i*c+first:])
		}
		for j, v := range ref.GroupNorm(part, weight[first:first+per], bias[first:first+per], 1, hw, per, 1, eps, ref.None) {
			e.add(y[j/per*c+first+j%per], v)
		}
	}
	return e.value()
}
