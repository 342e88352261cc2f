package attn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/isa"
	"syntic/kernels/par"
	"syntic/kernels/ref"
)

// eachLevel runs the test once for every instruction set of this machine.
func eachLevel(t *testing.T, f func(t *testing.T, k *Kernel)) {
	if name := os.Getenv("REQUIRE_ISA"); name != "" {
		_, err := isa.Select(name)
		require.NoError(t, err)
	}
	for _, l := range isa.All() {
		t.Run(l.String(), func(t *testing.T) {
			k := For(l)
			require.Equal(t, l, k.Level(), "every level of this machine has its own kernel")
			f(t, k)
		})
	}
}

// problem is one attention with random inputs in packed [B,L,H,D] order.
type problem struct {
	Spec
	lk            int
	q, k, v, mask []float32
}

func randoms(r *rand.Rand, n int, scale float64) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.NormFloat64() * scale)
	}
	return s
}

func newProblem(r *rand.Rand, s Spec, lk int) *problem {
	p := &problem{Spec: s, lk: lk}
	p.q = randoms(r, s.B*s.LQ*s.H*s.D, 1)
	p.k = randoms(r, s.B*s.LK*s.H*s.D, 1)
	p.v = randoms(r, s.B*s.LK*s.H*s.D, 1)
	if s.KeyMask {
		p.mask = make([]float32, s.B*s.LK)
		for i := range p.mask {
			p.mask[i] = float32(min(r.IntN(4), 1))
		}
	}
	return p
}

// want computes the reference on the first lk keys.
func (p *problem) want(weights []float64) []float64 {
	cut := func(s []float32, row int) []float32 {
		if s == nil {
			return nil
		}
		var c []float32
		for b := range p.B {
			c = append(c, s[b*p.LK*row:][:p.lk*row]...)
		}
		return c
	}
	w := p.H * p.D
	dst := make([]float64, len(p.q))
	a := ref.Attention{B: p.B, H: p.H, LQ: p.LQ, LK: p.lk, D: p.D, Scale: float64(p.Scale), Causal: p.Causal}
	a.Run(dst, weights, p.q, cut(p.k, w), cut(p.v, w), cut(p.mask, 1))
	return dst
}

// run spreads the inputs over the strides of the Spec, runs, and gathers.
func (p *problem) run(k *Kernel, pool *par.Pool) []float32 {
	o := New(k, pool, p.Spec)
	spread := func(s []float32, l, batch, stride int) []float32 {
		w := p.H * p.D
		x := make([]float32, (p.B-1)*batch+(l-1)*stride+w)
		for i := range x {
			x[i] = float32(math.NaN()) // between the rows: never used
		}
		for b := range p.B {
			for t := range l {
				copy(x[b*batch+t*stride:][:w], s[(b*l+t)*w:])
			}
		}
		return x
	}
	dst := spread(make([]float32, len(p.q)), p.LQ, o.BatchO, o.StrideO)
	ws := make([]float32, o.Workspace())
	for i := range ws {
		ws[i] = float32(math.NaN())
	}
	for w := range pool.Workers() {
		s := pool.Scratch(w)
		for i := range s {
			s[i] = float32(math.NaN())
		}
	}
	o.Run(dst, spread(p.q, p.LQ, o.BatchQ, o.StrideQ), spread(p.k, p.LK, o.BatchK, o.StrideK),
		spread(p.v, p.LK, o.BatchV, o.StrideV), p.mask, p.lk, ws)
	out := make([]float32, 0, len(p.q))
	for b := range p.B {
		for t := range p.LQ {
			row := dst[b*o.BatchO+t*o.StrideO:]
			out = append(out, row[:p.H*p.D]...)
			if gap := row[p.H*p.D : min(o.StrideO, len(row))]; t+1 < p.LQ && len(gap) > 0 {
				for _, x := range gap {
					if x == x {
						panic("attn wrote between the rows of dst")
					}
				}
			}
		}
	}
	return out
}

// relErr is ‖got-want‖₂/‖want‖₂.
func relErr(got []float32, want []float64) float64 {
	var e, n float64
	for i, w := range want {
		d := float64(got[i]) - w
		e += d * d
		n += w * w
	}
	if n == 0 {
		return math.Sqrt(e)
	}
	return math.Sqrt(e / n)
}

func (p *problem) String() string {
	return fmt.Sprintf("B%d H%d LQ%d LK%d/%d D%d causal=%v mask=%v", p.B, p.H, p.LQ, p.lk, p.LK, p.D, p.Causal, p.KeyMask)
}

const tolerance = 1e-6

func TestAgainstReference(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		check := func(s Spec, lk int) {
			p := newProblem(r, s, lk)
			got := p.run(k, pool)
			require.Less(t, relErr(got, p.want(nil)), tolerance, p.String())
		}
		for d := 1; d <= 200; d += 1 + r.IntN(3) {
			check(Spec{B: 1, H: 1 + r.IntN(2), LQ: 1 + r.IntN(20), LK: 40, D: d}, 1+r.IntN(40))
		}
		for _, lq := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 24, 31, 33, 47, 49, 50, 63, 64, 65, 77, 96, 97, 100, 200} {
			for _, lk := range []int{1, 2, 7, 8, 9, 50, 63, 64, 65, 71, 77, 129, 300} {
				d := []int{4, 8, 32, 33, 40, 64, 80}[r.IntN(7)]
				s := Spec{B: 1 + r.IntN(2), H: 1 + r.IntN(3), LQ: lq, LK: lk + r.IntN(3), D: d, Causal: r.IntN(2) == 0, KeyMask: r.IntN(2) == 0}
				w := s.H * s.D
				switch r.IntN(3) {
				case 0: // packed QKV
					s.StrideQ, s.StrideK, s.StrideV = 3*w, 3*w, 3*w
				case 1:
					s.StrideQ, s.StrideK, s.StrideV, s.StrideO = w+1, w+2, w+3, w+4
					s.BatchO = (lq + 1) * (w + 4)
				}
				check(s, lk)
			}
		}
		for _, d := range []int{160, 192, 512} {
			check(Spec{B: 1, H: 2, LQ: 70, LK: 90, D: d}, 90)
			check(Spec{B: 3, H: 2, LQ: 1, LK: 100, D: d}, 99)
		}
		check(Spec{B: 1, H: 1, LQ: 520, LK: 700, D: 40}, 700)
		check(Spec{B: 1, H: 1, LQ: 300, LK: 300, D: 16, Causal: true}, 300)
		for _, lq := range []int{1, 9, 12} {
			check(Spec{B: 1, H: 1, LQ: lq, LK: 9, D: 16, Scale: -0.5, KeyMask: true}, 9)
			check(Spec{B: 1, H: 1, LQ: lq, LK: 9, D: 16, Scale: 3}, 9)
		}
	})
}

// Fewer keys than queries under Causal: the first queries see nothing.
func TestQueriesThatSeeNothingGiveZeros(t *testing.T) {
	pool := par.New(1)
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, lq := range []int{3, 40} {
			p := newProblem(r, Spec{B: 2, H: 2, LQ: lq, LK: lq - 1, D: 8, Causal: true, KeyMask: true}, lq-1)
			clear(p.mask[p.LK:]) // the second item keeps no key
			p.mask[0] = 0
			got := p.run(k, pool)
			require.Less(t, relErr(got, p.want(nil)), tolerance)
			w := p.H * p.D
			require.Equal(t, make([]float32, 2*w), got[:2*w], "query 0 is before every key, query 1 sees a dropped one")
			require.Equal(t, make([]float32, lq*w), got[lq*w:])
			p = newProblem(r, Spec{B: 1, H: 2, LQ: lq, LK: 5, D: 8}, 0)
			require.Equal(t, make([]float32, lq*16), p.run(k, pool))
		}
	})
}

func TestLargeAndInfiniteScores(t *testing.T) {
	pool := par.New(1)
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, lq := range []int{2, 30} {
			p := newProblem(r, Spec{B: 1, H: 1, LQ: lq, LK: 150, D: 8}, 150)
			for i := range p.q {
				p.q[i] *= 100 // scores of several hundreds: e^s overflows, e^(s-max) doesn't
			}
			require.Less(t, relErr(p.run(k, pool), p.want(nil)), 2e-5)

			inf := float32(math.Inf(1))
			for i := range 8 {
				p.q[8+i] = 1
			}
			for j := range p.LK {
				p.k[j*8] = -inf // every score of query 1 is -Inf
			}
			got := p.run(k, pool)
			require.Equal(t, make([]float32, 8), got[8:16])
			p.k[3*8] = 0 // but one: all the weight is its
			require.InDeltaSlice(t, p.v[3*8:4*8], p.run(k, pool)[8:16], 1e-6)
			p.k[3*8] = inf
			require.True(t, math.IsNaN(float64(p.run(k, pool)[8])), "a score of +Inf has no softmax")
		}
	})
}

// One bad number reaches the queries that see it and no other.
func TestNaNStaysWithItsQueries(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	nan := float32(math.NaN())
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, l := range []int{5, 20, 61, 150} {
			for _, where := range []string{"q", "k", "v", "dropped", "inf"} {
				p := newProblem(r, Spec{B: 1, H: 1, LQ: l, LK: l, D: 8, Causal: true, KeyMask: where == "dropped"}, l)
				clean := p.run(k, pool)
				at := l / 2
				bad := func(i int) bool { return i >= at }
				switch where {
				case "q":
					p.q[at*8+3] = nan
					bad = func(i int) bool { return i == at }
				case "k":
					p.k[at*8+3] = nan
				case "v":
					p.v[at*8+3] = nan
				case "inf":
					p.v[at*8+3] = float32(math.Inf(1))
				case "dropped":
					p.mask[at] = 0
					clean = p.run(k, pool)
					p.k[at*8+3], p.v[at*8+3] = nan, nan
					bad = func(int) bool { return false }
				}
				got := p.run(k, pool)
				for i := range l {
					x := float64(got[i*8+3])
					require.Equal(t, bad(i), math.IsNaN(x) || math.IsInf(x, 0), "%s, query %d of %d", where, i, l)
					if !bad(i) {
						require.InDeltaSlice(t, clean[i*8:i*8+8], got[i*8:i*8+8], 2e-6)
					}
				}
			}
		}
	})
}

func TestBitsDependOnNeitherWorkersNorBatch(t *testing.T) {
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, s := range []Spec{
			{B: 5, H: 3, LQ: 77, LK: 77, D: 40, Causal: true}, {B: 5, H: 2, LQ: 1, LK: 33, D: 64}, {B: 3, H: 2, LQ: 300, LK: 150, D: 24},
			{B: 4, H: 2, LQ: 60, LK: 90, D: 32, KeyMask: true}, {B: 4, H: 2, LQ: 3, LK: 90, D: 33, KeyMask: true},
		} {
			p := newProblem(r, s, s.LK-1)
			var want []float32
			for _, n := range []int{1, 2, 3} {
				pool := par.New(n)
				for range 3 {
					got := p.run(k, pool)
					if want == nil {
						want = got
					}
					require.Equal(t, want, got, "%s with %d workers", p, n)
				}
				pool.Close()
			}
			pool := par.New(1)
			for b := range s.B {
				w, one := s.H*s.D, *p
				one.B = 1
				one.q, one.k, one.v = p.q[b*s.LQ*w:][:s.LQ*w], p.k[b*s.LK*w:][:s.LK*w], p.v[b*s.LK*w:][:s.LK*w]
				if s.KeyMask {
					one.mask = p.mask[b*s.LK:][:s.LK]
				}
				require.Equal(t, want[b*s.LQ*w:][:s.LQ*w], one.run(k, pool), "%s, item %d alone", p, b)
			}
		}
	})
}

func TestRunDoesNotAllocate(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	eachLevel(t, func(t *testing.T, k *Kernel) {
		for _, s := range []Spec{
			{B: 2, H: 2, LQ: 1, LK: 20, D: 16}, {B: 2, H: 2, LQ: 70, LK: 70, D: 40, Causal: true}, {B: 1, H: 2, LQ: 300, LK: 70, D: 33, KeyMask: true},
		} {
			p := newProblem(rand.New(rand.NewPCG(1, 1)), s, s.LK)
			o := New(k, pool, s)
			dst, ws := make([]float32, len(p.q)), make([]float32, o.Workspace())
			require.Zero(t, testing.AllocsPerRun(20, func() { o.Run(dst, p.q, p.k, p.v, p.mask, p.lk, ws) }))
			weights := make([]float32, s.B*s.H*s.LQ*s.LK)
			require.Zero(t, testing.AllocsPerRun(20, func() { o.Weights(weights, p.q, p.k, p.mask, p.lk) }))
		}
	})
}

func TestWeights(t *testing.T) {
	pool := par.New(1)
	eachLevel(t, func(t *testing.T, k *Kernel) {
		r := rand.New(rand.NewPCG(11, 12))
		for _, s := range []Spec{{B: 2, H: 3, LQ: 5, LK: 9, D: 12}, {B: 2, H: 2, LQ: 20, LK: 24, D: 8, Causal: true, KeyMask: true}} {
			p := newProblem(r, s, s.LK-2)
			want := make([]float64, s.B*s.H*s.LQ*p.lk)
			p.want(want)
			got := make([]float32, len(want))
			New(k, pool, s).Weights(got, p.q, p.k, p.mask, p.lk)
			require.Less(t, relErr(got, want), tolerance)
		}
	})
}

func TestImpossibleArgumentsPanic(t *testing.T) {
	pool, k := par.New(1), For(isa.Portable)
	for _, s := range []Spec{{}, {B: 1, H: 1, LQ: 1, LK: 1}, {B: 1, H: 2, LQ: 1, LK: 1, D: 4, StrideK: 7}} {
		require.Panics(t, func() { New(k, pool, s) })
	}
	x := func(n int) []float32 { return make([]float32, n) }
	o := New(k, pool, Spec{B: 2, H: 1, LQ: 2, LK: 3, D: 4, KeyMask: true})
	o.Run(x(16), x(16), x(24), x(24), x(6), 3, x(o.Workspace()))
	for i, f := range []func(){
		func() { o.Run(x(15), x(16), x(24), x(24), x(6), 3, nil) },
		func() { o.Run(x(16), x(15), x(24), x(24), x(6), 3, nil) },
		func() { o.Run(x(16), x(16), x(23), x(24), x(6), 3, nil) },
		func() { o.Run(x(16), x(16), x(24), x(23), x(6), 3, nil) },
		func() { o.Run(x(16), x(16), x(24), x(24), x(5), 3, nil) },
		func() { o.Run(x(16), x(16), x(24), x(24), x(6), 4, nil) },
	} {
		require.Panics(t, f, i)
	}
}
