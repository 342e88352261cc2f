package devtest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"testing"

	"syntic/tensor/graph"
)

// Suite says which device is tested and how.
type Suite struct {
	// Open makes a device of so many threads; a device without threads may
	// ignore the number. The suite closes it.
	Open func(threads int) (graph.Device, error)
	// Slack multiplies every tolerance: for devices that compute in less than
	// float32 on purpose. 0 means 1.
	Slack float64
	// Error is the least tolerance, for devices that keep values in halves. With it an
	// item's bits may depend on its batch, within the tolerance.
	Error float64
	// Whole says that the device replays a program as one: a run asks its
	// context before the first step and after the last one alone.
	Whole bool
	// Only selects cases by name; nil means all. Suites with it leave out the
	// random programs and the errors.
	Only *regexp.Regexp
}

// Run is the whole suite, as subtests of t.
func (s Suite) Run(t *testing.T) {
	t.Run("cases", s.Cases)
	t.Run("threads", s.threads)
	t.Run("batch", s.batch)
	t.Run("allocations", s.allocations)
	if s.Only != nil {
		return
	}
	t.Run("random programs", s.random)
	t.Run("shared cache", s.sharedCache)
	t.Run("shared weights", s.sharedWeights)
	t.Run("cancellation", s.cancellation)
	t.Run("errors", s.errors)
}

func (s Suite) device(t testing.TB, threads int) graph.Device {
	t.Helper()
	d, err := s.Open(threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (s Suite) selected() []testCase {
	return slices.DeleteFunc(cases(), func(c testCase) bool { return s.Only != nil && !s.Only.MatchString(c.name) })
}

// tolerance returns what a result may err of which float32 errs tol.
func (s Suite) tolerance(tol float64) float64 {
	if s.Slack != 0 {
		tol *= s.Slack
	}
	return max(tol, s.Error)
}

// program is a case recorded on a device.
type program struct {
	*graph.Program
	c       *testCase
	inputs  []input
	outputs []string
}

func record(t testing.TB, c *testCase, k *kit, d graph.Device, taps ...string) *program {
	t.Helper()
	p, err := k.build(d, c.record, taps...)
	if err != nil {
		t.Fatalf("%s on %s: %v", c.name, d.Name(), err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &program{p, c, k.inputs, k.outputs}
}

// run runs every step and returns all outputs of all steps, in order.
func (p *program) run(t testing.TB) [][]float32 {
	t.Helper()
	var all [][]float32
	for step := range max(p.c.steps, 1) {
		fill(p.Program, p.inputs, step)
		if err := p.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", p.c.name, err)
		}
		for _, name := range p.outputs {
			all = append(all, slices.Clone(p.bits(name)))
		}
	}
	return all
}

// bits returns an output's elements, whole numbers as bits.
func (p *program) bits(name string) []float32 {
	if p.Type(name) == graph.I32 {
		f := make([]float32, len(p.I32(name)))
		copy(int32s(f), p.I32(name))
		return f
	}
	return p.F32(name)
}

// name says which output of which step is number i of run's result.
func (p *program) name(i int) string {
	return fmt.Sprintf("%s of step %d", p.outputs[i%len(p.outputs)], i/len(p.outputs))
}

// Cases compares every case with the reference device.
func (s Suite) Cases(t *testing.T) {
	d, r := s.device(t, 2), NewRef()
	for _, c := range s.selected() {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(2)
			got := record(t, &c, k, d)
			want := record(t, &c, k, r, k.inner...)
			g, w := got.run(t), want.run(t)
			for i := range w {
				if got.Type(got.outputs[i%len(got.outputs)]) == graph.I32 {
					equalBits(t, w[i], g[i], got.name(i))
				} else if e := relErr(g[i], w[i]); !(e <= s.tolerance(c.tol)) {
					t.Errorf("%s: relative error %.3g, tolerance %.3g; first values %v, want %v", got.name(i), e, s.tolerance(c.tol), head(g[i]), head(w[i]))
				}
			}
		})
	}
}

// threads checks that one thread and two give the same bits.
func (s Suite) threads(t *testing.T) {
	one, two := s.device(t, 1), s.device(t, 2)
	for _, c := range s.selected() {
		k := newKit(3)
		a, b := record(t, &c, k, one), record(t, &c, k, two)
		x, y := a.run(t), b.run(t)
		for i := range x {
			equalBits(t, x[i], y[i], c.name+": "+a.name(i))
		}
	}
}

// batch checks that an item's bits don't depend on how many others there are.
func (s Suite) batch(t *testing.T) {
	const n = 8
	d := s.device(t, 2)
	for _, c := range s.selected() {
		if c.alone {
			continue
		}
		k := newKit(n)
		all := record(t, &c, k, d)
		together := all.run(t)
		for item := range n {
			k.n, k.first = 1, item
			one := record(t, &c, k, d)
			for i, x := range one.run(t) {
				want, what := together[i][item*len(x):(item+1)*len(x)], fmt.Sprintf("%s: item %d of %s", c.name, item, one.name(i))
				if s.Error == 0 || one.Type(one.outputs[i%len(one.outputs)]) == graph.I32 {
					equalBits(t, x, want, what)
				} else if e := relErr(x, want); !(e <= s.tolerance(c.tol)) {
					t.Errorf("%s: relative error %.3g, tolerance %.3g", what, e, s.tolerance(c.tol))
				}
			}
		}
	}
}

// allocations checks that running a program allocates nothing.
func (s Suite) allocations(t *testing.T) {
	d := s.device(t, 2)
	for _, c := range s.selected() {
		p := record(t, &c, newKit(2), d)
		p.run(t)
		ctx := t.Context()
		var err error
		if n := testing.AllocsPerRun(20, func() { err = p.Run(ctx) }); n != 0 || err != nil {
			t.Errorf("%s: %v allocations, error %v", c.name, n, err)
		}
	}
}

// Benchmark times every case, one run after the other.
func (s Suite) Benchmark(b *testing.B) {
	d := s.device(b, 0)
	for _, c := range s.selected() {
		b.Run(c.name, func(b *testing.B) {
			p := record(b, &c, newKit(2), d)
			p.run(b)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Run(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func equalBits(t testing.TB, a, b []float32, what string) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%s: %d and %d elements", what, len(a), len(b))
		return
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Errorf("%s: element %d of %d is %v (%08x) and %v (%08x)", what, i, len(a), a[i], math.Float32bits(a[i]), b[i], math.Float32bits(b[i]))
			return
		}
	}
}

// relErr returns ‖got-want‖/‖want‖, ‖got‖ where want is all zeros. It is NaN
// when anything is.
func relErr(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var diff, norm float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		diff += d * d
		norm += float64(w) * float64(w)
	}
	if norm == 0 {
		norm = 1
	}
	return math.Sqrt(diff / norm)
}

func head(v []float32) []float32 { return v[:min(len(v), 6)] }
