package ref

import "math"

// Attention is the specification of scaled dot-product attention with H heads.
//
// Shapes: q [B,LQ,H,D], k and v [B,LK,H,D], mask [B,LK] or nil, dst as q,
// weights [B,H,LQ,LK].
// Source: Vaswani et al., arXiv 1706.03762, Eq. 1.
type Attention struct {
	B, H, LQ, LK, D int
	// Scale multiplies q·k; 0 means 1/√D.
	Scale float64
	// Causal lets query i see the keys j ≤ i + (LK-LQ) only.
	Causal bool
}

// Run writes the attended values and, unless weights is nil, the attention
// weights. A key whose mask is 0 is as if it were not there, whatever it
// holds; a query that sees no key, or only scores of -Inf, gives zeros.
func (a Attention) Run(dst, weights []float64, q, k, v, mask []float32) {
	scale := a.Scale
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(a.D))
	}
	p := make([]float64, a.LK)
	for b := range a.B {
		for h := range a.H {
			for i := range a.LQ {
				qi := ((b*a.LQ+i)*a.H + h) * a.D
				seen := func(j int) bool {
					return (mask == nil || mask[b*a.LK+j] != 0) && (!a.Causal || j <= i+a.LK-a.LQ)
				}
				high := math.Inf(-1)
				for j := range a.LK {
					p[j] = math.Inf(-1)
					if seen(j) {
						kj := ((b*a.LK+j)*a.H + h) * a.D
						s := 0.0
						for d := range a.D {
							s += float64(q[qi+d]) * float64(k[kj+d])
						}
						p[j] = s * scale
						high = math.Max(high, p[j])
					}
				}
				sum := 0.0
				for j := range a.LK {
					p[j] = softmaxTerm(p[j], high)
					sum += p[j]
				}
				for d := range a.D {
					dst[qi+d] = 0
				}
				for j := range a.LK {
					if sum != 0 {
						p[j] /= sum
					}
					if weights != nil {
						weights[((b*a.H+h)*a.LQ+i)*a.LK+j] = p[j]
					}
					if !seen(j) {
						continue
					}
					vj := ((b*a.LK+j)*a.H + h) * a.D
					for d := range a.D {
						dst[qi+d] += p[j] * float64(v[vj+d])
					}
				}
			}
		}
	}
}

// softmaxTerm is e^(s-high); a score of -Inf counts as 0 even where all are.
func softmaxTerm(s, high float64) float64 {
	if math.IsInf(s, -1) {
		return 0
	}
	return math.Exp(s - high)
}
