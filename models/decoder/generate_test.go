package decoder

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor/cpu"
	"syntic/tensor/graph"
	"syntic/weights"
)

var bg = context.Background()

// tiny returns a small language model with synthetic weights.
func tiny(t *testing.T, config string) *Model {
	d, err := cpu.New(cpu.Options{})
	require.NoError(t, err)
	c, err := ParseConfig([]byte(config))
	require.NoError(t, err)
	m, err := Load(d, []byte(config), "", weights.Synthetic(5, nn.List(New(nil, c), "")))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, m.Close())
		require.NoError(t, d.Close())
	})
	return m
}

const config = `{"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 24, "vocab_size": 50, "eos_token_id": 49}`

// prefixes returns n prefixes of p vectors; each depends on its index alone.
func prefixes(n, p, width int) []float32 {
	x := make([]float32, n*p*width)
	for i := range x {
		x[i] = float32(math.Sin(float64(i)*1.7)) * 3
	}
	return x
}

// reference scores whole texts anew, without any cache.
type reference struct {
	t      *testing.T
	m      *Model
	prefix []float32 // one prefix [P,D]
}

// logProbs returns the log-probabilities of the token after a text, in float64.
func (r reference) logProbs(tokens []int32) []float64 {
	n := len(r.prefix) / r.m.cfg.Width
	p, err := r.m.ScoreProgram(1, n, len(tokens), false)
	require.NoError(r.t, err)
	defer p.Close()
	copy(p.F32("prefix"), r.prefix)
	if len(tokens) > 0 {
		copy(p.I32("tokens"), tokens)
	}
	require.NoError(r.t, p.Run(bg))
	logits := p.F32("logits")
	logits = logits[len(logits)-r.m.cfg.Vocab:]
	out, sum := make([]float64, len(logits)), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v))
	}
	for i, v := range logits {
		out[i] = float64(v) - math.Log(sum)
	}
	return out
}

// beams is golden/SPEC.md section 6 for Finished, and the same with a frozen
// mean for Mean, by exhaustive sorting.
func (r reference) beams(o Options) []Sequence {
	type text struct {
		tokens []int32
		score  float64
		over   bool
	}
	rank := func(x text) float64 {
		if o.Rank == Mean {
			return x.score / float64(len(x.tokens))
		}
		return x.score
	}
	final := func(x text) Sequence {
		if o.Rank == Mean {
			return Sequence{x.tokens, rank(x)}
		}
		return Sequence{x.tokens, x.score / math.Pow(float64(len(x.tokens)), o.Alpha)}
	}
	live, done := []text{{}}, []Sequence(nil)
	for range o.Max {
		var all []text
		for _, b := range live {
			if b.over {
				all = append(all, b)
				continue
			}
			for v, lp := range r.logProbs(b.tokens) {
				all = append(all, text{append(slices.Clone(b.tokens), int32(v)), b.score + lp, v == o.EOS})
			}
		}
		slices.SortStableFunc(all, func(a, b text) int {
			if d := rank(b) - rank(a); d != 0 {
				return int(math.Copysign(1, d))
			}
			return 0
		})
		live = nil
		for _, c := range all[:min(len(all), 2*o.Beams)] {
			switch {
			case c.over && o.Rank == Finished:
				done = append(done, final(c))
			case len(live) < o.Beams:
				live = append(live, c)
			}
		}
		if o.Rank == Finished && len(done) >= o.Beams || o.Rank == Mean && !slices.ContainsFunc(live, func(x text) bool { return !x.over }) {
			break
		}
	}
	if o.Rank == Mean || len(done) < o.Beams {
		for _, b := range live {
			done = append(done, final(b))
		}
	}
	slices.SortStableFunc(done, func(a, b Sequence) int { return int(math.Copysign(1, b.Score-a.Score)) })
	return done[:min(len(done), o.Beams)]
}

func requireTexts(t *testing.T, want, got []Sequence) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Tokens, got[i].Tokens, "text %d", i)
		require.InDelta(t, want[i].Score, got[i].Score, 1e-4, "score %d", i)
	}
}

// The cached search must find what scoring every text anew finds, in both ranks,
// where texts end early and where none does.
func TestBeamsEqualUncachedSearch(t *testing.T) {
	m := tiny(t, config)
	x := prefixes(3, 2, 16)
	for _, o := range []Options{
		{Max: 6, EOS: -1, Beams: 3}, {Max: 6, EOS: 7, Beams: 4}, {Max: 5, EOS: -1, Beams: 3, Rank: Finished},
		{Max: 6, EOS: 7, Beams: 4, Rank: Finished, Alpha: 0.7}, {Max: 4, EOS: 7, Beams: 1, Rank: Finished}, {Max: 2, EOS: 3, Beams: 60},
	} {
		all, err := m.Generate(bg, x, 3, 2, o)
		require.NoError(t, err)
		for i, got := range all {
			requireTexts(t, reference{t, m, x[i*32 : (i+1)*32]}.beams(o), got)
		}
	}
}

// Greedy decoding takes the likeliest token each time, whether computed from the
// cache or anew, and a search with one beam does the same.
func TestGreedy(t *testing.T) {
	m := tiny(t, config)
	x := prefixes(4, 3, 16)
	o := Options{Max: 9, EOS: 49}
	all, err := m.Generate(bg, x, 4, 3, o)
	require.NoError(t, err)
	ranked := Options{Max: 9, EOS: 49, Beams: 1}
	s, err := m.session(sessionKey{4, 3, 12, 1})
	require.NoError(t, err)
	one, err := m.beams(bg, s, x, 4, 3, ranked)
	require.NoError(t, err)
	for i := range all {
		r := reference{t, m, x[i*48 : (i+1)*48]}
		var want []int32
		for len(want) < o.Max && (len(want) == 0 || want[len(want)-1] != 49) {
			p := r.logProbs(want)
			want = append(want, int32(slices.Index(p, slices.Max(p))))
		}
		require.Equal(t, want, all[i][0].Tokens)
		require.Equal(t, want, one[i][0].Tokens)
	}
}

// eager is a device that wants programs of several steps.
type eager struct {
	graph.Device
	steps int
}

func (e eager) Ahead() int { return e.steps }

func TestStepsAheadChangeNothing(t *testing.T) {
	m := tiny(t, config)
	dev, x := m.dev, prefixes(4, 3, 16)
	for _, most := range []int{1, 2, 3, 9, 21, 22} { // 22 tokens fill all positions
		for _, eos := range []int{49, -1} {
			o := Options{Max: most, EOS: eos}
			m.dev = dev
			want, err := m.Generate(bg, x, 4, 3, o)
			require.NoError(t, err)
			for _, steps := range []int{2, 3, 5, 100} {
				require.NoError(t, m.Close())
				m.dev = eager{dev, steps}
				got, err := m.Generate(bg, x, 4, 3, o)
				require.NoError(t, err)
				require.Equal(t, want, got, "%d tokens, %d steps ahead", most, steps)
			}
			require.NoError(t, m.Close())
		}
	}
}

// methods are all ways to choose tokens.
var methods = map[string]Options{
	"greedy":   {Max: 8, EOS: 49},
	"mean":     {Max: 8, EOS: 11, Beams: 3},
	"finished": {Max: 8, EOS: 11, Beams: 3, Rank: Finished, Alpha: 1},
	"sampling": {Max: 8, EOS: 11, Temperature: 1.3, Seed: 4},
	"nucleus":  {Max: 8, EOS: 11, Temperature: 0.8, TopK: 20, TopP: 0.9, Seed: 9},
}

// A text's tokens and the bits of its score depend neither on its neighbours nor
// on its place among them.
func TestBatchEqualsSingleRuns(t *testing.T) {
	m := tiny(t, config)
	const n, p, per = 5, 2, 32
	x := prefixes(n, p, 16)
	for name, o := range methods {
		t.Run(name, func(t *testing.T) {
			all, err := m.Generate(bg, x, n, p, o)
			require.NoError(t, err)
			for i := range n {
				one, err := m.Generate(bg, x[i*per:(i+1)*per], 1, p, o)
				require.NoError(t, err)
				require.Equal(t, one[0], all[i], "text %d", i)
			}
		})
	}
}

func TestSamplingFollowsTheSeed(t *testing.T) {
	m := tiny(t, config)
	x := prefixes(1, 2, 16)
	o := Options{Max: 12, EOS: -1, Temperature: 1}
	texts := map[string]bool{}
	for seed := range uint64(6) {
		o.Seed = seed
		a, err := m.Generate(bg, x, 1, 2, o)
		require.NoError(t, err)
		b, err := m.Generate(bg, x, 1, 2, o)
		require.NoError(t, err)
		require.Equal(t, a, b)
		lp, r := 0.0, reference{t, m, x}
		for i, token := range a[0][0].Tokens {
			lp += r.logProbs(a[0][0].Tokens[:i])[token]
		}
		require.InDelta(t, lp, a[0][0].Score, 1e-4, "the score is the text's log-probability")
		texts[string(runes(a[0][0].Tokens))] = true
	}
	require.Greater(t, len(texts), 3, "seeds must matter")
	// A tiny temperature leaves the likeliest token alone, as does a nucleus or a
	// list of one.
	greedy, err := m.Generate(bg, x, 1, 2, Options{Max: 12, EOS: -1})
	require.NoError(t, err)
	for _, o := range []Options{{Temperature: 1e-9}, {Temperature: 1, TopK: 1}, {Temperature: 1, TopP: 1e-9}, {Temperature: 1e-300}} {
		o.Max, o.EOS = 12, -1
		got, err := m.Generate(bg, x, 1, 2, o)
		require.NoError(t, err)
		require.Equal(t, greedy[0][0].Tokens, got[0][0].Tokens)
	}
}

func runes(tokens []int32) []rune {
	out := make([]rune, len(tokens))
	for i, t := range tokens {
		out[i] = rune(t)
	}
	return out
}

// draw follows the cumulative probabilities of the allowed tokens.
func TestDraw(t *testing.T) {
	logits := []float32{float32(math.Log(0.2)), float32(math.Log(0.5)), float32(math.Log(0.3))}
	o := Options{Temperature: 1}
	for u, want := range map[float64]int{0: 1, 0.49: 1, 0.51: 2, 0.79: 2, 0.81: 0, 0.9999999: 0} {
		require.Equal(t, want, draw(logits, o, u), "u = %v", u)
	}
	o.TopP = 0.6 // the likeliest two
	require.Equal(t, 2, draw(logits, o, 0.999))
	o = Options{Temperature: 1, TopK: 1}
	require.Equal(t, 1, draw(logits, o, 0.999))
	nan := float32(math.NaN())
	require.Less(t, draw([]float32{nan, nan, nan}, Options{Temperature: 1}, 0.5), 3, "NaN must not lead outside")
}

// A text may end with its first token while its neighbours go on.
func TestEndAtTheFirstToken(t *testing.T) {
	m := tiny(t, config)
	x := prefixes(4, 2, 16)
	free, err := m.Generate(bg, x, 4, 2, Options{Max: 5, EOS: -1})
	require.NoError(t, err)
	o := Options{Max: 5, EOS: int(free[2][0].Tokens[0])}
	got, err := m.Generate(bg, x, 4, 2, o)
	require.NoError(t, err)
	require.Equal(t, []int32{int32(o.EOS)}, got[2][0].Tokens)
	for i := range got {
		one, err := m.Generate(bg, x[i*32:(i+1)*32], 1, 2, o)
		require.NoError(t, err)
		require.Equal(t, one[0], got[i])
	}
	o.Beams = 2
	ended, err := m.Generate(bg, x, 4, 2, o)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(ended[2], func(s Sequence) bool { return slices.Equal(s.Tokens, []int32{int32(o.EOS)}) }))
}

// The positions bound the tokens; the last one needs none, since it isn't read.
func TestMaxIsBoundedByPositions(t *testing.T) {
	m := tiny(t, config)
	x := prefixes(1, 2, 16)
	got, err := m.Generate(bg, x, 1, 2, Options{Max: 23, EOS: -1})
	require.NoError(t, err)
	require.Len(t, got[0][0].Tokens, 23)
	for _, most := range []int{24, 1000, math.MaxInt, 0, -1, math.MinInt} {
		_, err := m.Generate(bg, x, 1, 2, Options{Max: most, EOS: -1})
		require.ErrorContains(t, err, "24 positions, so 1 to 23 are possible", "Max %d", most)
	}
	_, err = m.Generate(bg, prefixes(1, 25, 16), 1, 25, Options{Max: 1})
	require.ErrorContains(t, err, "24 positions")
	_, err = m.Generate(bg, x, 1, 3, Options{Max: 1})
	require.ErrorContains(t, err, "32 prefix values aren't 1×3 vectors of 16")
}

// More shapes than are kept ready: those that left come back right.
func TestEvictedSessionsComeBackRight(t *testing.T) {
	m := tiny(t, config)
	o := Options{Max: 6, EOS: -1}
	var first [][][]Sequence
	for round := range 2 {
		for n := 1; n <= maxSessions+2; n++ {
			got, err := m.Generate(bg, prefixes(n, 2, 16), n, 2, o)
			require.NoError(t, err)
			if round == 0 {
				first = append(first, got)
			}
			require.Equal(t, first[n-1], got)
		}
	}
	require.Len(t, m.sessions, maxSessions)
	require.Len(t, m.recent, maxSessions)
}

// An interrupted run must not spoil the next one.
func TestCancelledRunLeavesTheModelUsable(t *testing.T) {
	m := tiny(t, config)
	x := prefixes(2, 2, 16)
	for name, o := range methods {
		want, err := m.Generate(bg, x, 2, 2, o)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_, err = m.Generate(ctx, x, 2, 2, o)
		require.ErrorIs(t, err, context.Canceled, name)
		got, err := m.Generate(bg, x, 2, 2, o)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
}

func TestConfigMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"vocab_size": 1}`: "vocab_size 1", `{"n_positions": 1}`: "n_positions 1", `{"n_embd": 10, "n_head": 4}`: "n_embd 10 isn't a multiple of n_head 4",
		`{"n_layer": 100000}`: "n_layer 100000", `{"layer_norm_epsilon": 0}`: "layer_norm_epsilon 0", `{"activation_function": "cat"}`: `"cat"`,
		`{"tie_word_embeddings": false}`: "tie_word_embeddings", `{"n_embd": "x"}`: "decoder config", `{`: "decoder config",
	} {
		_, err := ParseConfig([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
	c, err := ParseConfig([]byte(config))
	require.NoError(t, err)
	require.Equal(t, 64, c.Inner, "n_inner follows n_embd")
}
