package ref

import "math"

// Act names an activation function.
type Act uint8

const (
	// None leaves the value as it is.
	None Act = iota
	// ReLU is max(x, 0); NaN stays NaN.
	ReLU
	// QuickGELU is x·σ(1.702x). Source: openai/CLIP clip/model.py.
	QuickGELU
	// GELU is x·Φ(x), by the error function.
	GELU
	// GELUTanh is GPT-2's approximation, 0.5x(1+tanh(√(2/π)(x+0.044715x³))).
	// Source: Hendrycks and Gimpel, arXiv 1606.08415; "gelu_new" in configs.
	GELUTanh
	// SiLU is x·σ(x).
	SiLU
	// Sigmoid is σ(x) = 1/(1+e^-x).
	Sigmoid
	// Tanh is the hyperbolic tangent.
	Tanh
)

var actNames = [...]string{"none", "relu", "quick_gelu", "gelu", "gelu_new", "silu", "sigmoid", "tanh"}

// String returns the name that Hugging Face configs use.
func (a Act) String() string {
	if int(a) < len(actNames) {
		return actNames[a]
	}
	return "unknown"
}

// ParseAct returns the activation with this config name; ok is false for an
// unknown one.
func ParseAct(name string) (a Act, ok bool) {
	switch name {
	case "gelu_pytorch_tanh", "gelu_fast":
		return GELUTanh, true
	case "swish":
		return SiLU, true
	}
	for i, n := range actNames {
		if n == name {
			return Act(i), true
		}
	}
	return None, false
}

// Apply returns the function's value at x.
func (a Act) Apply(x float64) float64 {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	// x·σ(kx) written so that x = -Inf gives the limit 0, not -Inf·0 = NaN.
	gate := func(k float64) float64 {
		if math.IsInf(x, -1) {
			return 0
		}
		return x * sigmoid(k*x)
	}
	switch a {
	case ReLU:
		if x < 0 {
			return 0
		}
		return x
	case QuickGELU:
		return gate(1.702)
	case GELU:
		if math.IsInf(x, -1) {
			return 0
		}
		return 0.5 * x * math.Erfc(-x/math.Sqrt2)
	case GELUTanh:
		if math.IsInf(x, -1) {
			return 0
		}
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case SiLU:
		return gate(1)
	case Sigmoid:
		return sigmoid(x)
	case Tanh:
		return math.Tanh(x)
	}
	return x
}
