package verify

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"syntic/tensor"
)

// array is a computed output: float32 or integer values in row-major order of
// shape. With nhwc the values lie as [N,H,W,C] and shape is the golden's
// [N,C,H,W].
type array struct {
	shape tensor.Shape
	f32   []float32
	i64   []int64
	nhwc  bool
}

// values returns a copy of a float32 output: its program may be closed before it is
// compared.
func values(v []float32, shape ...int) array { return array{shape: shape, f32: slices.Clone(v)} }

// integers returns an integer output.
func integers[T cmp.Ordered](v []T, convert func(T) int64, shape ...int) array {
	a := array{shape: shape, i64: make([]int64, len(v))}
	for i, x := range v {
		a.i64[i] = convert(x)
	}
	return a
}

// bytesOf returns an output of bytes.
func bytesOf(v []byte, shape ...int) array {
	return integers(v, func(b byte) int64 { return int64(b) }, shape...)
}

// at returns element i of the golden's order.
func (a *array) at(i int) float64 {
	if a.nhwc {
		c, h, w := a.shape[1], a.shape[2], a.shape[3]
		n, rest := i/(c*h*w), i%(c*h*w)
		i = (n*h*w+rest%(h*w))*c + rest/(h*w)
	}
	if a.i64 != nil {
		return float64(a.i64[i])
	}
	return float64(a.f32[i])
}

// compare compares every output that the manifest lists. The case passes when
// all do; the result is that of the output which is worst against its tolerance.
func (c *testCase) compare(got map[string]array) (Result, error) {
	r := Result{ID: c.ID, Pass: true}
	if name := c.diverges(got); name != "" {
		r.Skipped, r.Note = true, name+" went another way at a near-tie: not compared"
		return r, nil
	}
	worst := -1.0
	for _, name := range slices.Sorted(maps.Keys(c.Outputs)) {
		ref := c.Outputs[name]
		if c.lax() {
			ref.Tol = max(ref.Tol, c.s.opts.Least)
		}
		a, ok := got[name]
		if !ok {
			return Result{}, fmt.Errorf("the output %s isn't built yet", name)
		}
		relerr, err := c.relErr(&a, ref)
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", name, err)
		}
		finite := !math.IsNaN(relerr) && !math.IsInf(relerr, 0)
		pass := finite && relerr <= ref.Tol
		ratio, note := relerr/ref.Tol, name
		switch {
		case !finite:
			ratio, relerr, note = math.Inf(1), 1, name+" has a NaN or an infinity"
		case pass && ref.Tol == 0:
			ratio = 0
		case ref.Tol == 0:
			ratio = math.MaxFloat64
		}
		if ratio > worst {
			worst, r.RelErr, r.Tol, r.Note = ratio, relerr, ref.Tol, note
		}
		r.Pass = r.Pass && pass
	}
	if worst < 0 {
		return Result{}, fmt.Errorf("manifest: %s lists no outputs", c.ID)
	}
	return r, nil
}

// lax reports whether Options.Least raises the case's tolerances.
func (c *testCase) lax() bool {
	return c.s.opts.Least > 0 && c.Model != "scheduler" && c.Model != "preprocess"
}

// diverges returns the name of an output of a lax case that should be equal and
// isn't, such as a text's tokens: the other outputs then belong to another text.
func (c *testCase) diverges(got map[string]array) string {
	for _, name := range slices.Sorted(maps.Keys(c.Outputs)) {
		if a, ok := got[name]; ok && c.lax() && c.Outputs[name].Tol == 0 {
			if e, err := c.relErr(&a, c.Outputs[name]); err != nil || e != 0 {
				return name
			}
		}
	}
	return ""
}

// relErr returns ‖out-ref‖/‖ref‖ over the stored elements; ‖out-ref‖ where the
// reference is all zeros. It is NaN or infinite when the output is.
// Source: golden/SPEC.md section 5.
func (c *testCase) relErr(out *array, r ref) (float64, error) {
	t, err := c.s.get(c.File, r)
	if err != nil {
		return 0, err
	}
	full, stride := r.FullShape, r.Stride
	if full == nil {
		full, stride = r.Shape, 1
	}
	if !out.shape.Equal(full) {
		return 0, fmt.Errorf("shape %v, the golden has %v", out.shape, full)
	}
	n := t.Shape.Elems()
	if stride < 1 || n != (full.Elems()+stride-1)/stride {
		return 0, fmt.Errorf("manifest: %d elements aren't every %d of %v", n, stride, full)
	}
	want, err := exact(t)
	if err != nil {
		return 0, err
	}
	var diff, norm float64
	for j := range n {
		i := j * stride
		if slices.ContainsFunc(r.Skip, func(s [2]int) bool { return s[0] <= i && i < s[1] }) {
			continue
		}
		w := want(j)
		d := out.at(i) - w
		diff += d * d
		norm += w * w
	}
	if norm == 0 {
		return math.Sqrt(diff), nil
	}
	return math.Sqrt(diff / norm), nil
}

// exact returns the elements of a golden tensor as float64.
func exact(t tensor.Tensor) (func(i int) float64, error) {
	if t.DType.Float() {
		v, err := t.Float32s()
		return func(i int) float64 { return float64(v[i]) }, err
	}
	v, err := t.Int64s()
	return func(i int) float64 { return float64(v[i]) }, err
}
