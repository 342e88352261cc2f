package detr

import (
	"context"
	"fmt"

	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Model is DETR. Its fields' names are the published checkpoint's.
//
// Concurrency: one call at a time.
type Model struct {
	Core  *Core      `w:"model"`
	Class *nn.Linear `w:"class_labels_classifier"`
	Box   *Head      `w:"bbox_predictor"`

	cfg   Config
	dev   graph.Device
	cache *graph.Cache[shapeKey]
}

// Core is everything before the two heads.
type Core struct {
	Backbone *Backbone     `w:"backbone.conv_encoder.model"`
	Project  *nn.Conv2D    `w:"input_projection"`
	Queries  *nn.Embedding `w:"query_position_embeddings"`
	Encoder  *Encoder      `w:"encoder"`
	Decoder  *Decoder      `w:"decoder"`
}

// Head is a perceptron of three layers.
type Head struct {
	Layers []*nn.Linear `w:"layers"`
}

type shapeKey struct {
	batch, h, w int
	padded      bool
}

// programs is how many shapes a model keeps ready. Every picture size is a
// shape; recording one takes milliseconds, and its arena tens of megabytes.
const programs = 4

// New returns a model of this size without weights.
func New(c Config) *Model {
	d := c.Width
	return &Model{
		Core: &Core{
			Backbone: newBackbone(c.ResNet),
			Project:  nn.NewConv2D(c.ResNet.Hidden[len(c.ResNet.Hidden)-1], d, 1, 1, 0, true),
			Queries:  nn.NewEmbedding(c.Queries, d),
			Encoder:  newEncoder(c),
			Decoder:  newDecoder(c),
		},
		Class: nn.NewLinear(d, len(c.Labels)+1, true),
		Box:   &Head{[]*nn.Linear{nn.NewLinear(d, d, true), nn.NewLinear(d, d, true), nn.NewLinear(d, 4, true)}},
		cfg:   c,
	}
}

// Load returns the model that config.json describes, with weights from src, to
// run on d. src must stay open while the model lives.
func Load(d graph.Device, config []byte, src weights.Source) (*Model, error) {
	c, err := ParseConfig(config)
	if err != nil {
		return nil, err
	}
	m := New(c)
	m.dev, m.cache = d, graph.NewCache[shapeKey](programs)
	return m, nn.Load(m, "", src)
}

// Config returns the model's sizes.
func (m *Model) Config() Config { return m.cfg }

// Close frees the model's programs.
func (m *Model) Close() error { return m.cache.Close() }

// Cells returns the feature map's size for pictures of H×W.
func (m *Model) Cells(H, W int) (h, w int) {
	half := func(n int) int { return (n + 1) / 2 }
	h, w = half(half(H)), half(half(W)) // the stem's convolution and pooling
	for s := 4; s < m.cfg.ResNet.Stride(); s *= 2 {
		h, w = half(h), half(w)
	}
	return h, w
}

// Program returns the program for a batch of H×W pictures: pixel_values
// [B,H,W,3] in, logits [B,Q,labels+1] and pred_boxes [B,Q,4] out; a padded one
// also takes keys [B,L] and positions [B,L,D] of the feature map's cells (see
// Fill). The names in taps, such as enc1, become outputs too.
func (m *Model) Program(batch, H, W int, padded bool, taps ...string) (*graph.Program, error) {
	record := func(b *graph.Builder) { m.record(b, batch, H, W, padded) }
	if len(taps) > 0 {
		return graph.Build(m.dev, record, taps...)
	}
	return m.cache.Get(shapeKey{batch, H, W, padded}, func() (*graph.Program, error) { return graph.Build(m.dev, record) })
}

func (m *Model) record(b *graph.Builder, batch, H, W int, padded bool) {
	d := m.cfg.Width
	x := m.Core.Backbone.forward(b, b.Input("pixel_values", batch, H, W, 3))
	h, w := x.Dim(1), x.Dim(2)
	x = m.Core.Project.Forward(b, x, graph.ConvOpts{})
	b.Tap("input_projection", x)
	x = b.Reshape(x, batch, h*w, d)
	var mask, positions graph.Value
	if padded {
		mask, positions = b.Input("keys", batch, h*w), b.Input("positions", batch, h*w, d)
	} else {
		table, whole := make([]float32, h*w*d), make([]float32, h*w)
		for i := range whole {
			whole[i] = 1
		}
		Positions(table, whole, h, w, d)
		positions = b.Const(table, h*w, d)
	}
	memory := m.Core.Encoder.forward(b, x, positions, mask)
	o := m.Core.Decoder.forward(b, memory, positions, m.Core.Queries.Weight, mask)
	b.Output("logits", m.Class.Forward(b, o, graph.LinearOpts{}))
	for _, l := range m.Box.Layers[:2] {
		o = l.Forward(b, o, graph.LinearOpts{Act: ref.ReLU})
	}
	b.Output("pred_boxes", m.Box.Layers[2].Forward(b, o, graph.LinearOpts{Act: ref.Sigmoid}))
}

// Fill writes the keys and positions of a padded program. Shapes: masks
// [B,H,W], 1 for pixels of the picture and 0 for padding.
func (m *Model) Fill(p *graph.Program, masks []uint8) {
	s := p.Shape("pixel_values")
	h, w := m.Cells(s[1], s[2])
	keys, positions := p.F32("keys"), p.F32("positions")
	for i := range s[0] {
		k := keys[i*h*w : (i+1)*h*w]
		FeatureMask(k, masks[i*s[1]*s[2]:], s[1], s[2], h, w)
		Positions(positions[i*h*w*m.cfg.Width:], k, h, w, m.cfg.Width)
	}
}

// Output is what the model says about one batch: for each picture and query,
// the classes' logits, the last of them "no object", and a box.
type Output struct {
	Logits []float32 // [B,Q,labels+1]
	Boxes  []float32 // [B,Q,4]: centre x, centre y, width, height, in [0,1]
}

// Run computes the logits and boxes of a batch. Shapes: pixels [B,H,W,3],
// normalised as the preprocessor says and zero where padded; masks [B,H,W], or
// nil when nothing is padded. The result's slices belong to the model and hold
// until its next call.
func (m *Model) Run(ctx context.Context, pixels []float32, masks []uint8, batch, H, W int) (Output, error) {
	if batch < 1 || H < 1 || W < 1 || len(pixels) != batch*H*W*3 || masks != nil && len(masks) != batch*H*W {
		return Output{}, fmt.Errorf("detr: %d pixel values aren't %d pictures of %d×%d", len(pixels), batch, H, W)
	}
	p, err := m.Program(batch, H, W, masks != nil)
	if err != nil {
		return Output{}, err
	}
	copy(p.F32("pixel_values"), pixels)
	if masks != nil {
		m.Fill(p, masks)
	}
	if err := p.Run(ctx); err != nil {
		return Output{}, err
	}
	return Output{p.F32("logits"), p.F32("pred_boxes")}, nil
}
