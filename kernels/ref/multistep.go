package ref

import "math"

// Multistep holds the coefficients of a step of a linear multistep solver, a
// diffusion scheduler's, over R tensors: the latent x₀, the estimate x₁ of its
// end, and what else the method keeps. With o what the model made of the latent
// and z fresh noise, it is for every element
//
//	y   = o, or with guidance, which has two halves of o, o₀ + g·(o₁-o₀)
//	e   = clamp(b₀·x₀ + b₁·y, -limit, limit)
//	t   = x₀, y, e, x₁ … x_{R-1}, z
//	x_r = Σ_j A[r,j]·t_j, all at once
//	in  = scale·x₀, what the model reads next
//
// y is in float32, rounded after each operation; the rest is in float64, sums from
// the left, rounded where x and in are stored. A term whose coefficient is 0 is
// left out, whatever its tensor holds, and so is an absent z; with no term left a sum
// is 0.
//
// Source: Ho and Salimans, "Classifier-Free Diffusion Guidance", for y; models/sd/sched
// writes the schedulers in this form.
type Multistep struct {
	Guidance float32    // g
	Estimate [2]float64 // b
	Limit    float64    // of e; +Inf for none
	Scale    float64
	Next     [][]float64 // A: R rows of R+3
}

// MaxTensors is the most tensors of a Multistep that devices step.
const MaxTensors = 8

// NewMultistep returns one of r tensors that leaves out every term.
func NewMultistep(r int) *Multistep {
	m := &Multistep{Limit: math.Inf(1), Next: make([][]float64, r)}
	for i := range m.Next {
		m.Next[i] = make([]float64, r+3)
	}
	return m
}

// MultistepWords returns the length of what Put writes for r tensors.
func MultistepWords(r int) int { return 2 * (5 + r*(r+3)) }

// Put writes the coefficients as an operation's input takes them: g, b, limit,
// scale, then A row by row, each a float64 in two words, the low one first.
func (m *Multistep) Put(dst []int32) {
	at := 0
	put := func(v float64) {
		bits := math.Float64bits(v)
		dst[at], dst[at+1] = int32(bits), int32(bits>>32)
		at += 2
	}
	put(float64(m.Guidance))
	put(m.Estimate[0])
	put(m.Estimate[1])
	put(m.Limit)
	put(m.Scale)
	for _, row := range m.Next {
		for _, v := range row {
			put(v)
		}
	}
}

// Get reads what Put has written for as many tensors.
func (m *Multistep) Get(src []int32) {
	at := 0
	get := func() float64 {
		at += 2
		return math.Float64frombits(uint64(uint32(src[at-2])) | uint64(uint32(src[at-1]))<<32)
	}
	m.Guidance = float32(get())
	m.Estimate = [2]float64{get(), get()}
	m.Limit, m.Scale = get(), get()
	for _, row := range m.Next {
		for i := range row {
			row[i] = get()
		}
	}
}

// Run takes the step. Shapes: x [R,N], in [N], o [N] or [2,N], z [N] or nil.
func (m *Multistep) Run(x, in, o, z []float32) {
	r := len(m.Next)
	n := len(x) / r
	for i := range n {
		y := o[i]
		if len(o) > n {
			difference := float32(o[n+i] - y)
			product := float32(m.Guidance * difference)
			y = float32(y + product)
		}
		t := []float64{float64(x[i]), float64(y), 0}
		e := combine(m.Estimate[:], t)
		if e > m.Limit {
			e = m.Limit
		}
		if e < -m.Limit {
			e = -m.Limit
		}
		t[2] = e
		for j := 1; j < r; j++ {
			t = append(t, float64(x[j*n+i]))
		}
		if z != nil {
			t = append(t, float64(z[i]))
		}
		for j, row := range m.Next {
			x[j*n+i] = float32(combine(row[:len(t)], t))
		}
		in[i] = float32(m.Scale * float64(x[i]))
	}
}

// combine returns Σ a·t over the coefficients that aren't 0.
func combine(a, t []float64) float64 {
	var terms []float64
	for j, c := range a {
		if c != 0 {
			terms = append(terms, c*t[j])
		}
	}
	if len(terms) == 0 {
		return 0
	}
	sum := terms[0]
	for _, v := range terms[1:] {
		sum += v
	}
	return sum
}

// NotFinite counts the elements that are infinite or NaN.
func NotFinite(x []float32) int {
	n := 0
	for _, v := range x {
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			n++
		}
	}
	return n
}
