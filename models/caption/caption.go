package caption

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"

	"syntic/models/decoder"
	"syntic/models/detr"
	"syntic/models/vision"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Options change one call; the zero value follows the model's settings with
// greedy decoding.
type Options struct {
	Beams        int // more than 1: beam search
	MaxTokens    int
	Temperature  float64 // > 0: sampling
	TopP         float64
	Seed         uint64
	Threshold    float64 // > 0 replaces the settings' tag threshold
	Tau          float64 // > 0 replaces the settings' temperature
	TopK         int     // > 0: project onto the K nearest texts alone
	NoProjection bool    // the ablation without equation 3
	NoTags       bool    // the ablation without equations 4 and 5
	Explain      int     // > 0: report that many support texts and how attention weighed the tags
	Parallel     vision.Parallel
}

// Tag is an object that DETR found.
type Tag struct {
	Name   string     `json:"name"`
	Score  float32    `json:"score"`
	Box    [4]float32 `json:"box"`              // left, top, right, bottom, in pixels
	Weight float64    `json:"weight,omitempty"` // share of equation 5's attention, with Explain
}

// Support is a text of the memory and its weight in equation 3.
type Support struct {
	Text   string  `json:"text"`
	Weight float64 `json:"weight"`
}

// Result is what one picture gave.
type Result struct {
	Caption      string    `json:"caption"`
	Score        float64   `json:"score,omitempty"`
	Alternatives []string  `json:"alternatives,omitempty"` // the other beams
	Tags         []Tag     `json:"tags,omitempty"`
	Support      []Support `json:"support,omitempty"`
	Feature      []float32 `json:"-"` // the normalised CLIP feature
	Projected    []float32 `json:"-"` // after equation 3; the same slice without it
}

// maxBatch is how many pictures pass through the programs at once.
const maxBatch = 16

// Caption describes pictures. The results' order is the pictures'.
func (m *Model) Caption(ctx context.Context, pictures []*vision.Picture, o Options) (all []Result, err error) {
	// The memory's texts and features and the prefix's weights are read from
	// mapped files.
	err = weights.Guard(func() error {
		for part := range slices.Chunk(pictures, maxBatch) {
			r, err := m.caption(ctx, part, o)
			if err != nil {
				return err
			}
			all = append(all, r...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (m *Model) caption(ctx context.Context, pictures []*vision.Picture, o Options) ([]Result, error) {
	features, err := m.Encoder.Pictures(ctx, pictures, o.Parallel)
	if err != nil {
		return nil, err
	}
	d := m.Encoder.Dim()
	results := make([]Result, len(pictures))
	projected := features
	if m.Memory != nil && !o.NoProjection {
		if projected, err = m.project(ctx, features, o, results); err != nil {
			return nil, err
		}
	}
	labels := make([][]int, len(pictures))
	if m.Detector != nil && !o.NoTags {
		objects, err := m.Detector.Detect(ctx, pictures, m.threshold(o), o.Parallel)
		if err != nil {
			return nil, err
		}
		for i, found := range objects {
			slices.SortStableFunc(found, func(a, b detr.Object) int { return cmp.Compare(b.Score, a.Score) })
			for _, t := range found[:min(len(found), m.Settings.MaxTags)] {
				labels[i] = append(labels[i], t.Label)
				results[i].Tags = append(results[i].Tags, Tag{Name: m.Tags.Names[t.Label], Score: t.Score, Box: t.Box})
			}
		}
	}
	for i := range results {
		results[i].Feature, results[i].Projected = features[i*d:(i+1)*d], projected[i*d:(i+1)*d]
	}
	if o.Explain > 0 && m.prefix.Attn != nil {
		for i := range results {
			if err := m.weighTags(&results[i], labels[i]); err != nil {
				return nil, err
			}
		}
	}
	return results, m.write(ctx, results, labels, o)
}

func (m *Model) threshold(o Options) float32 {
	if o.Threshold > 0 {
		return float32(o.Threshold)
	}
	return float32(m.Settings.Threshold)
}

// write runs the prefix and the language model.
func (m *Model) write(ctx context.Context, results []Result, labels [][]int, o Options) error {
	prefix, err := m.runPrefix(ctx, results, labels)
	if err != nil {
		return err
	}
	texts, err := m.Decoder.Generate(ctx, prefix, len(results), m.prefix.Len(), m.generation(o))
	if err != nil {
		return err
	}
	for i, beams := range texts {
		results[i].Caption, results[i].Score = m.text(beams[0].Tokens), beams[0].Score
		for _, b := range beams[1:] {
			results[i].Alternatives = append(results[i].Alternatives, m.text(b.Tokens))
		}
	}
	return nil
}

// generation returns how the language model is to write.
func (m *Model) generation(o Options) decoder.Options {
	return decoder.Options{
		Max: cmp.Or(o.MaxTokens, m.Settings.MaxTokens), EOS: m.Decoder.Config().EOS,
		Beams: o.Beams, Temperature: o.Temperature, TopP: o.TopP, Seed: o.Seed,
	}
}

// text returns the words of generated tokens on one line, the marks left out.
// Sampling may draw the tokens of any byte, so control characters are white
// space here.
func (m *Model) text(ids []int32) string {
	words := slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return id == m.Encoder.Tokens.Start() || id == m.Encoder.Tokens.End() })
	split := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	return strings.Join(strings.FieldsFunc(m.Encoder.Tokens.Decode(words), split), " ")
}

type programKey struct {
	project     bool
	batch, tags int
	tau         float64
}

// runPrefix computes the decoder's prefix, [B,Len,W].
func (m *Model) runPrefix(ctx context.Context, results []Result, labels [][]int) ([]float32, error) {
	n, d, most := len(results), m.Encoder.Dim(), 1
	for _, l := range labels {
		most = max(most, len(l))
	}
	p, err := m.cache.Get(programKey{batch: n, tags: most}, func() (*graph.Program, error) {
		return graph.Build(m.dev, func(b *graph.Builder) {
			v := b.Input("v", n, d)
			if m.prefix.Attn == nil {
				b.Output("prefix", m.prefix.forward(b, v, v, v, v, v))
				return
			}
			b.Output("prefix", m.prefix.forward(b, v, b.Input("query", n, d), b.Input("tags", n, most, d), b.Input("keys", n, most), b.Input("present", n, 1, d)))
		})
	})
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		copy(p.F32("v")[i*d:], r.Projected)
	}
	if m.prefix.Attn != nil {
		m.fillTags(p, results, labels, most)
	}
	if err := p.Run(ctx); err != nil {
		return nil, err
	}
	return p.F32("prefix"), nil
}

func (m *Model) fillTags(p *graph.Program, results []Result, labels [][]int, most int) {
	d := m.Encoder.Dim()
	query, tags, keys, present := p.F32("query"), p.F32("tags"), p.F32("keys"), p.F32("present")
	clear(tags)
	clear(keys)
	clear(present)
	for i, r := range results {
		copy(query[i*d:], m.query(&r))
		for j, label := range labels[i] {
			copy(tags[(i*most+j)*d:], m.Tags.Feature(label))
			keys[i*most+j] = 1
		}
		if len(labels[i]) > 0 {
			for k := range d {
				present[i*d+k] = 1
			}
		}
	}
}

// query returns the feature that equation 5 asks with.
func (m *Model) query(r *Result) []float32 {
	if m.Settings.Query == "image" {
		return r.Feature
	}
	return r.Projected
}
