package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"syntic/models/decoder"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/graph"
	"syntic/weights"
)

// decap is a DeCap checkpoint: the language model and the projection that turns
// a CLIP feature into its first vector.
type decap struct {
	Decoder *decoder.Model `w:"decoder"`
	Project *nn.Linear     `w:"clip_project.model.0"`
}

// makeDecap returns the model without weights, to run on d. The size of a
// feature is ViT-B/32's where the configuration doesn't say.
func makeDecap(d graph.Device, config []byte) (*decap, error) {
	c, err := decoder.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	size := struct {
		Feature int `json:"prefix_size"`
	}{512}
	if err := json.Unmarshal(config, &size); err != nil {
		return nil, err
	}
	return &decap{decoder.New(d, c), nn.NewLinear(size.Feature, c.Width, true)}, nil
}

// unlisted separates the tensors that the golden kit leaves out although
// checkpoints have them. Its generator drops GPT-2's causal mask by names that
// end in "attn.bias", which fits c_attn.bias too: its files and lists lack that
// bias, and its goldens were made with zeros there.
// Source: golden/scripts/common.py, is_buffer_skip.
func unlisted(want []weights.Info) (listed, blank []weights.Info) {
	for _, w := range want {
		if strings.HasSuffix(w.Name, ".attn.c_attn.bias") {
			blank = append(blank, w)
		} else {
			listed = append(listed, w)
		}
	}
	return listed, blank
}

// zeros is a source with tensors of zeros added.
type zeros struct {
	weights.Source
	names []string
	added map[string]weights.Info
}

// withZeros adds the blank tensors that src lacks.
func withZeros(src weights.Source, blank []weights.Info) weights.Source {
	z := &zeros{src, slices.Clone(src.Names()), map[string]weights.Info{}}
	for _, b := range blank {
		if !slices.Contains(src.Names(), b.Name) {
			b.Data = make([]byte, 4*b.Elems())
			z.names = append(z.names, b.Name)
			z.added[b.Name] = b
		}
	}
	if len(z.added) == 0 {
		return src
	}
	slices.Sort(z.names)
	return z
}

// Names implements weights.Source.
func (z *zeros) Names() []string { return z.names }

// Get implements weights.Source.
func (z *zeros) Get(name string) (weights.Info, error) {
	if b, ok := z.added[name]; ok {
		b.Shape = slices.Clone(b.Shape)
		return b, nil
	}
	return z.Source.Get(name)
}

// decoderPlayer plays the cases of the caption decoder.
type decoderPlayer struct {
	loaded
	*decap
}

func openDecoder(s *suite, e *entry) (player, error) {
	p := &decoderPlayer{}
	var err error
	p.loaded, err = s.load(e, newDecap, func(d graph.Device, config []byte, src weights.Source) (err error) {
		if p.decap, err = makeDecap(d, config); err != nil {
			return err
		}
		return nn.Load(p.decap, "", src)
	})
	return p, err
}

func (p *decoderPlayer) close() error {
	p.Decoder.Close()
	return p.loaded.close()
}

func (p *decoderPlayer) play(ctx context.Context, c *testCase) (map[string]array, error) {
	features, s, err := c.floats("clip_features", 2)
	if err != nil {
		return nil, err
	}
	prefix, err := p.project(ctx, features, s)
	if err != nil {
		return nil, err
	}
	has := func(output string) bool { _, ok := c.Outputs[output]; return ok }
	switch {
	case has("sequences"):
		return p.beams(ctx, c, prefix, s[0])
	case has("tokens"):
		return p.greedy(ctx, c, prefix, s[0])
	}
	return p.score(ctx, c, prefix, s[0])
}

// project returns the first vectors. Shapes: features s = [N,F], the result [N,D].
func (p *decoderPlayer) project(ctx context.Context, features []float32, s tensor.Shape) ([]float32, error) {
	program, err := graph.Build(p.dev, func(b *graph.Builder) {
		b.Output("prefix", p.Project.Forward(b, b.Input("features", s...), graph.LinearOpts{}))
	})
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("features"), features)
	if err := program.Run(ctx); err != nil {
		return nil, err
	}
	return slices.Clone(program.F32("prefix")), nil
}

// score reads whole texts at once.
func (p *decoderPlayer) score(ctx context.Context, c *testCase, prefix []float32, n int) (map[string]array, error) {
	var tokens [][]int32
	length := 0
	if _, ok := c.Inputs["tokens"]; ok {
		var err error
		if tokens, err = c.ids("tokens"); err != nil {
			return nil, err
		}
		if len(tokens) != n {
			return nil, fmt.Errorf("%d texts for %d features", len(tokens), n)
		}
		length = len(tokens[0])
	}
	var mask [][]int32
	if _, ok := c.Inputs["attention_mask"]; ok {
		var err error
		if mask, err = c.ids("attention_mask"); err != nil {
			return nil, err
		}
		if len(mask) != n || len(mask[0]) != length+1 {
			return nil, fmt.Errorf("tokens and attention_mask don't fit")
		}
	}
	kept := taps(c, nil, "logits", "logits_prefix_only", "wte_proj")
	program, err := p.Decoder.ScoreProgram(n, 1, length, mask != nil, kept.names()...)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("prefix"), prefix)
	for i, row := range tokens {
		if length > 0 {
			copy(program.I32("tokens")[i*length:], row)
		}
	}
	for i, row := range mask {
		for j, keep := range row {
			program.F32("keys")[i*(length+1)+j] = float32(keep)
		}
	}
	got, err := kept.run(ctx, program, map[string]array{})
	if err != nil {
		return nil, err
	}
	logits, vocab := program.F32("logits"), p.Decoder.Config().Vocab
	for i, row := range mask { // the golden's rows of padding are zeros
		for j, keep := range row {
			if keep == 0 {
				clear(logits[(i*(length+1)+j)*vocab:][:vocab])
			}
		}
	}
	got["logits"] = values(logits, n, length+1, vocab)
	got["logits_prefix_only"] = got["logits"]
	got["wte_proj"] = values(prefix, n, p.Decoder.Config().Width)
	return got, nil
}

// greedy decodes with the cache, as callers do; the log-probabilities come from
// reading the result at once.
func (p *decoderPlayer) greedy(ctx context.Context, c *testCase, prefix []float32, n int) (map[string]array, error) {
	var f struct {
		Steps int `json:"steps"`
	}
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	if n != 1 {
		return nil, fmt.Errorf("%d features, want 1", n)
	}
	texts, err := p.Decoder.Generate(ctx, prefix, 1, 1, decoder.Options{Max: f.Steps, EOS: -1})
	if err != nil {
		return nil, err
	}
	tokens := texts[0][0].Tokens
	program, err := p.Decoder.ScoreProgram(1, 1, len(tokens), false)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	copy(program.F32("prefix"), prefix)
	copy(program.I32("tokens"), tokens)
	if err := program.Run(ctx); err != nil {
		return nil, err
	}
	logprob, margin := make([]float32, len(tokens)), make([]float32, len(tokens))
	vocab := p.Decoder.Config().Vocab
	for i, t := range tokens {
		row := program.F32("logits")[i*vocab:][:vocab]
		second := float32(math.Inf(-1))
		sum := 0.0
		for j, v := range row {
			sum += math.Exp(float64(v) - float64(row[t]))
			if j != int(t) {
				second = max(second, v)
			}
		}
		logprob[i], margin[i] = float32(-math.Log(sum)), row[t]-second
	}
	return map[string]array{
		"tokens":  integers(tokens, func(t int32) int64 { return int64(t) }, len(tokens)),
		"logprob": values(logprob, len(tokens)), "margin": values(margin, len(tokens)),
	}, nil
}

// beams decodes by SPEC.md section 6. Shorter texts end in -1.
func (p *decoderPlayer) beams(ctx context.Context, c *testCase, prefix []float32, n int) (map[string]array, error) {
	var f struct {
		Beams int     `json:"beams"`
		Max   int     `json:"max_new"`
		EOS   int     `json:"eos"`
		Alpha float64 `json:"alpha"`
	}
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	if n != 1 {
		return nil, fmt.Errorf("%d features, want 1", n)
	}
	o := decoder.Options{Max: f.Max, EOS: f.EOS, Beams: f.Beams, Rank: decoder.Finished, Alpha: f.Alpha}
	found, err := p.Decoder.Generate(ctx, prefix, 1, 1, o)
	if err != nil {
		return nil, err
	}
	longest := 0
	for _, s := range found[0] {
		longest = max(longest, len(s.Tokens))
	}
	var sequences []int32
	var scores []float32
	for _, s := range found[0] {
		sequences = append(sequences, s.Tokens...)
		for range longest - len(s.Tokens) {
			sequences = append(sequences, -1)
		}
		scores = append(scores, float32(s.Score))
	}
	return map[string]array{
		"sequences": integers(sequences, func(t int32) int64 { return int64(t) }, len(scores), longest),
		"scores":    values(scores, len(scores)),
	}, nil
}
