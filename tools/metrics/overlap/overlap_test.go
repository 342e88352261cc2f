package overlap

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The reference below is the definitions with maps of strings.

func counts(s string, n int) map[string]float64 {
	w, out := strings.Fields(s), map[string]float64{}
	for i := 0; i+n <= len(w); i++ {
		out[strings.Join(w[i:i+n], " ")]++
	}
	return out
}

func slowBLEU(hyp string, refs []string) BLEUStats {
	st := BLEUStats{TestLen: len(strings.Fields(hyp)), RefLen: math.MaxInt}
	dist := func(n int) int { return max(n-st.TestLen, st.TestLen-n) }
	for k := range maxN {
		best := map[string]float64{}
		for _, r := range refs {
			for g, c := range counts(r, k+1) {
				best[g] = max(best[g], c)
			}
		}
		for g, c := range counts(hyp, k+1) {
			st.Guess[k] += int(c)
			st.Correct[k] += int(min(c, best[g]))
		}
	}
	for _, r := range refs {
		n := len(strings.Fields(r))
		if st.RefLen == math.MaxInt || dist(n) < dist(st.RefLen) || dist(n) == dist(st.RefLen) && n < st.RefLen {
			st.RefLen = n
		}
	}
	return st
}

func slowLCS(a, b []string) int {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	if a[0] == b[0] {
		return 1 + slowLCS(a[1:], b[1:])
	}
	return max(slowLCS(a[1:], b), slowLCS(a, b[1:]))
}

func slowCIDEr(hyp string, refs []string, all [][]string, v Variant) float64 {
	sum := 0.0
	for n := 1; n <= maxN; n++ {
		idf := func(g string) float64 {
			df := 0.0
			for _, rs := range all {
				for _, r := range rs {
					if counts(r, n)[g] > 0 {
						df++
						break
					}
				}
			}
			return math.Log(float64(len(all))) - math.Log(max(1, df))
		}
		norm := func(s string) float64 {
			x := 0.0
			for g, c := range counts(s, n) {
				x += math.Pow(c*idf(g), 2)
			}
			return math.Sqrt(x)
		}
		for _, r := range refs {
			dot, rc := 0.0, counts(r, n)
			for g, c := range counts(hyp, n) {
				h, w := c*idf(g), rc[g]*idf(g)
				if v == CIDErD {
					h = min(h, w)
				}
				dot += h * w
			}
			if d := norm(hyp) * norm(r); d != 0 {
				dot /= d
			}
			if v == CIDErD {
				d := math.Max(0, float64(len(strings.Fields(hyp))-1)) - math.Max(0, float64(len(strings.Fields(r))-1))
				dot *= math.Exp(-d * d / 72)
			}
			sum += dot
		}
	}
	return sum / maxN / float64(len(refs)) * 10
}

func TestAgainstDefinitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		w := make([]string, rng.IntN(9))
		for i := range w {
			w[i] = string(rune('a' + rng.IntN(5)))
		}
		return strings.Join(w, " ")
	}
	for range 40 {
		var hyps []string
		var refs [][]string
		for range 1 + rng.IntN(5) {
			hyps = append(hyps, text())
			r := make([]string, 1+rng.IntN(6))
			for j := range r {
				r[j] = text()
			}
			refs = append(refs, r)
		}
		c := Index(hyps, refs)
		s := c.NewScratch()
		for i := range hyps {
			require.Equal(t, slowBLEU(hyps[i], refs[i]), c.BLEU(i, s))
			var p, r float64
			for _, ref := range refs[i] {
				a, b := strings.Split(hyps[i], " "), strings.Split(ref, " ")
				n := float64(slowLCS(a, b))
				p, r = max(p, n/float64(len(a))), max(r, n/float64(len(b)))
			}
			want := 0.0
			if p > 0 && r > 0 {
				want = 2.44 * p * r / (r + 1.44*p)
			}
			require.InDelta(t, want, c.ROUGEL(i, s), 1e-12)
			for _, v := range []Variant{CIDErD, CIDErPlain} {
				require.InDelta(t, slowCIDEr(hyps[i], refs[i], refs, v), c.CIDEr(i, v, s), 1e-9)
			}
		}
	}
}

// TestOddSpaces wants Python's two ways to split: at ' ' for ROUGE-L, at any
// white space for the others.
func TestOddSpaces(t *testing.T) {
	c := Index([]string{"1\u00a01/2 cup"}, [][]string{{"1 1/2 cup"}})
	s := c.NewScratch()
	require.Equal(t, 3, c.BLEU(0, s).Correct[0])
	require.Less(t, c.ROUGEL(0, s), 0.6)
}

func TestScoreOfNothing(t *testing.T) {
	require.Zero(t, BLEUStats{}.Score()[0])
	var sum BLEUStats
	sum.Add(BLEUStats{Correct: [4]int{1}, Guess: [4]int{2}, TestLen: 2, RefLen: 3})
	require.Equal(t, 2, sum.TestLen)
}
