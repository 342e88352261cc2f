package ref

import "math"

// LayerNorm returns (x-mean)/√(variance+eps)*w + b for each row of n; nil w
// and b are 1 and 0.
func LayerNorm(x, w, b []float32, n int, eps float64) []float64 {
	out := make([]float64, len(x))
	for i := 0; i < len(x); i += n {
		mean, v := moments(x[i : i+n])
		for j := range n {
			y := (float64(x[i+j]) - mean) / math.Sqrt(v+eps)
			if w != nil {
				y *= float64(w[j])
			}
			if b != nil {
				y += float64(b[j])
			}
			out[i+j] = y
		}
	}
	return out
}

// GroupNorm normalises x [N,HW,C] in groups of channels and applies a.
func GroupNorm(x, w, b []float32, n, hw, c, groups int, eps float64, a Act) []float64 {
	out := make([]float64, len(x))
	per := c / groups
	for i := range n {
		for g := range groups {
			var set []float32
			for p := range hw {
				set = append(set, x[(i*hw+p)*c+g*per:][:per]...)
			}
			mean, v := moments(set)
			for p := range hw {
				for ch := g * per; ch < (g+1)*per; ch++ {
					at := (i*hw+p)*c + ch
					y := (float64(x[at]) - mean) / math.Sqrt(v+eps)
					out[at] = a.Apply(y*float64(w[ch]) + float64(b[ch]))
				}
			}
		}
	}
	return out
}

func moments(x []float32) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		variance += d * d
	}
	return mean, variance / float64(len(x))
}

// Softmax returns e^(scale*x)/Σ over the first valid elements of each row of
// n, and 0 beyond.
func Softmax(x []float32, n, valid int, scale float64) []float64 {
	out := make([]float64, len(x))
	for i := 0; i < len(x); i += n {
		top, sum := largest(x[i:i+valid]), 0.0
		for j := range valid {
			out[i+j] = math.Exp((float64(x[i+j]) - top) * scale)
			sum += out[i+j]
		}
		for j := range valid {
			out[i+j] /= sum
		}
	}
	return out
}

// LogSoftmax returns x - log Σe^x for each row of n.
func LogSoftmax(x []float32, n int) []float64 {
	out := make([]float64, len(x))
	for i := 0; i < len(x); i += n {
		top, sum := largest(x[i:i+n]), 0.0
		for _, v := range x[i : i+n] {
			sum += math.Exp(float64(v) - top)
		}
		for j, v := range x[i : i+n] {
			out[i+j] = float64(v) - top - math.Log(sum)
		}
	}
	return out
}

func largest(x []float32) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = math.Max(m, float64(v)) // NaN wins
	}
	return m
}

// L2Normalize returns each row of n divided by max(|row|, 1e-12).
func L2Normalize(x []float32, n int) []float64 {
	out := make([]float64, len(x))
	for i := 0; i < len(x); i += n {
		var sq float64
		for _, v := range x[i : i+n] {
			sq += float64(v) * float64(v)
		}
		for j, v := range x[i : i+n] {
			out[i+j] = float64(v) / math.Max(math.Sqrt(sq), 1e-12)
		}
	}
	return out
}
