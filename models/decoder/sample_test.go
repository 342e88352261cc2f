package decoder

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels/ref"
	"syntic/tensor/graph"
)

// wide has more tokens than are candidates.
const wide = `{"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 24, "vocab_size": 1500, "eos_token_id": 49}`

// Where pick decides from the likeliest tokens and bounds of the sum, it is what all
// tokens give; with tight bounds it decides nearly always.
func TestPickFromCandidates(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, o := range []Options{{Temperature: 1}, {Temperature: 0.7, TopP: 0.9}, {Temperature: 1.5, TopP: 0.5}, {Temperature: 1, TopP: 1e-9}} {
		for _, slack := range []float64{1e-9, 0.03, 0.9} {
			decided := 0
			for range 300 {
				logits := make([]float32, 400)
				for i := range logits {
					logits[i] = float32(3 * r.NormFloat64())
				}
				u, top := r.Float64(), make([]float32, 100)
				order := ref.TopK(logits, len(top))
				for i, at := range order {
					top[i] = logits[at]
				}
				p, _ := exponentials(top, o.Temperature)
				_, sum := exponentials(append(top[:1:1], logits...), o.Temperature)
				sum -= p[0]
				at := pick(p, true, sum*(1-slack*r.Float64()), sum*(1+slack*r.Float64()), o, u)
				if at >= 0 {
					require.Equal(t, draw(logits, o, u), order[at])
					decided++
				}
			}
			if slack < 1e-6 {
				require.Greater(t, decided, 250)
			}
		}
	}
	nan := math.NaN()
	for _, o := range []Options{{Temperature: 1}, {Temperature: 1, TopP: 0.9}} {
		require.Equal(t, -1, pick([]float64{1, 0.5}, true, nan, nan, o, 0.1), "an unknown sum")
		require.Equal(t, -1, pick([]float64{1, nan}, true, 2, 2, o, 0.9), "NaN among the tokens")
		require.Equal(t, -1, pick([]float64{1, 0.5}, true, 9, 9, o, 0.9), "a token beyond the candidates")
	}
}

// All logits of a row, made again from its hidden state, are those its candidates were
// chosen from, and their sum lies within the bounds.
func TestWholeRows(t *testing.T) {
	m := tiny(t, wide)
	s, err := m.session(sessionKey{3, 2, 8, all})
	require.NoError(t, err)
	ids := []int32{5, 900, 1499}
	for _, temperature := range []float64{1, 0.2, 0.01, 4} {
		s.first.F32("inverse temperature")[0], s.next.F32("inverse temperature")[0] = float32(1/temperature), float32(1/temperature)
		require.NoError(t, s.start(bg, prefixes(3, 2, 16)))
		for step := range 3 {
			r := rowsOf(s)
			for i := range 3 {
				logits, err := m.rowLogits(bg, s, i)
				require.NoError(t, err)
				tokens, top, _ := r.row(i)
				require.Len(t, tokens, graph.MaxTopK)
				for j, at := range ref.TopK(logits, len(tokens)) {
					require.Equal(t, at, int(tokens[j]))
					require.Equal(t, logits[at], top[j])
				}
				sum := 0.0
				for _, v := range logits {
					sum += math.Exp((float64(v) - float64(top[0])) / temperature)
				}
				tempered := s.last.F32("normalizer at temperature")
				low, high := around(float64(tempered[2*i+1]), float64(tempered[2*i]), len(logits))
				require.Less(t, low, sum, "temperature %v, step %d", temperature, step)
				require.Greater(t, high, sum)
				require.Less(t, high-low, 1e-3*sum)
			}
			require.NoError(t, s.step(bg, ids, []int32{0, 1, 2}))
		}
	}
}

// drawWhole is sampling from all logits of every row, one text after the other.
func drawWhole(t *testing.T, m *Model, prefix []float32, o Options) (all []Sequence) {
	s, err := m.session(m.key(1, 2, o))
	require.NoError(t, err)
	for ; len(prefix) > 0; prefix = prefix[32:] {
		r, text := rand.New(rand.NewPCG(o.Seed, 0)), Sequence{}
		for err := s.start(bg, prefix[:32]); ; err = s.step(bg, text.Tokens[len(text.Tokens)-1:], []int32{0}) {
			require.NoError(t, err)
			logits, err := m.rowLogits(bg, s, 0)
			require.NoError(t, err)
			at := draw(logits, o, r.Float64())
			_, _, lse := rowsOf(s).row(0)
			text.Tokens = append(text.Tokens, int32(at))
			text.Score += float64(logits[at]) - lse
			if at == o.EOS || len(text.Tokens) == o.Max {
				break
			}
		}
		all = append(all, text)
	}
	return all
}

// Sampling gives the same texts whether candidates decide or all logits are fetched.
func TestCandidatesChangeNothing(t *testing.T) {
	x := prefixes(4, 2, 16)
	fetches := func(o Options) bool {
		m := tiny(t, wide)
		o.Max, o.EOS = 8, 11
		for o.Seed = 10; o.Seed < 15; o.Seed++ { // none of which draws one of the last 1e-4
			got, err := m.Generate(bg, x, 4, 2, o)
			require.NoError(t, err)
			for i, want := range drawWhole(t, m, x, o) {
				require.Equal(t, []Sequence{want}, got[i], "%+v", o)
			}
		}
		return m.sessions[m.key(4, 2, o)].whole != nil
	}
	require.False(t, fetches(Options{Temperature: 0.05}))
	require.False(t, fetches(Options{Temperature: 0.02, TopP: 0.4}))
	require.True(t, fetches(Options{Temperature: 3}))
	require.True(t, fetches(Options{Temperature: 3, TopP: 0.95}))
	require.True(t, fetches(Options{Temperature: 0.01, TopK: 1200}), "a list longer than the candidates")
}

// A short list never fetches, and is that of the whole row.
func TestTopKSampling(t *testing.T) {
	m, x := tiny(t, wide), prefixes(4, 2, 16)
	o := Options{Max: 8, EOS: -1, Temperature: 1, TopK: 3}
	seen := map[int32]bool{}
	for o.Seed = range 5 {
		texts, err := m.Generate(bg, x, 4, 2, o)
		require.NoError(t, err)
		for i := range texts {
			r := reference{t, m, x[i*32 : (i+1)*32]}
			for at, token := range texts[i][0].Tokens {
				var logits []float32
				for _, v := range r.logProbs(texts[i][0].Tokens[:at]) {
					logits = append(logits, float32(v))
				}
				require.Contains(t, ref.TopK(logits, 3), int(token))
				seen[token] = true
			}
		}
	}
	require.Greater(t, len(seen), 10)
	require.Nil(t, m.sessions[m.key(4, 2, o)].whole)
}

func TestTooManyBeams(t *testing.T) {
	m := tiny(t, wide)
	_, err := m.Generate(bg, prefixes(1, 2, 16), 1, 2, Options{Max: 3, EOS: -1, Beams: 513})
	require.ErrorContains(t, err, "1026 candidates a text are asked for, two a beam; 1024 are possible, so at most 512 beams")
	got, err := m.Generate(bg, prefixes(1, 2, 16), 1, 2, Options{Max: 2, EOS: -1, Beams: 512})
	require.NoError(t, err)
	require.Len(t, got[0], 512)
}
