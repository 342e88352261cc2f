package decoder

import (
	"fmt"

	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Model is the language model. The output layer is the embedding table. Its
// fields' names are the checkpoint's.
//
// Concurrency: one call at a time.
type Model struct {
	Core *Core `w:"transformer"`

	cfg      Config
	dev      graph.Device
	sessions map[sessionKey]*session
	recent   []sessionKey         // least recently used first
	firsts   map[int]*graph.Param // the first n rows of the position table
}

// Core is the transformer.
type Core struct {
	Token    *nn.Embedding `w:"wte"`
	Position *nn.Embedding `w:"wpe"`
	Blocks   []*Block      `w:"h"`
	Norm     *nn.LayerNorm `w:"ln_f"`
}

// Block is one pre-norm layer.
type Block struct {
	Norm1 *nn.LayerNorm `w:"ln_1"`
	Attn  *Attention    `w:"attn"`
	Norm2 *nn.LayerNorm `w:"ln_2"`
	MLP   *MLP          `w:"mlp"`
}

// Attention is causal self-attention with one packed projection.
type Attention struct {
	QKV *nn.Linear `w:"c_attn"`
	Out *nn.Linear `w:"c_proj"`
}

// MLP is the block's perceptron.
type MLP struct {
	FC  *nn.Linear `w:"c_fc"`
	Out *nn.Linear `w:"c_proj"`
}

// New returns a model of this size without weights, to run on d.
func New(d graph.Device, c Config) *Model {
	w := c.Width
	m := &Model{
		Core: &Core{Token: nn.NewEmbedding(c.Vocab, w), Position: nn.NewEmbedding(c.Positions, w), Norm: nn.NewLayerNorm(w, c.Eps)},
		cfg:  c, dev: d, sessions: map[sessionKey]*session{}, firsts: map[int]*graph.Param{},
	}
	for range c.Layers {
		m.Core.Blocks = append(m.Core.Blocks, &Block{
			nn.NewLayerNorm(w, c.Eps), &Attention{nn.NewConv1D(w, 3*w), nn.NewConv1D(w, w)},
			nn.NewLayerNorm(w, c.Eps), &MLP{nn.NewConv1D(w, c.Inner), nn.NewConv1D(c.Inner, w)},
		})
	}
	return m
}

// Load returns the model that config.json describes, with weights from src, to
// run on d. src must stay open while the model lives. prefix precedes the
// checkpoint's names: "" for Hugging Face's GPT-2, "decoder" for DeCap's.
func Load(d graph.Device, config []byte, prefix string, src weights.Source) (*Model, error) {
	c, err := ParseConfig(config)
	if err != nil {
		return nil, err
	}
	m := New(d, c)
	return m, nn.LoadPart(m, prefix, src)
}

// Config returns the model's sizes.
func (m *Model) Config() Config { return m.cfg }

// Close frees the model's programs and caches.
func (m *Model) Close() error {
	for len(m.recent) > 0 {
		if err := m.evict(); err != nil {
			return err
		}
	}
	return nil
}

// positions returns the first n rows of the position table, made once: devices
// keep what they pack of each.
func (m *Model) positions(n int) *graph.Param {
	if m.firsts[n] == nil {
		m.firsts[n] = graph.Rows(m.Core.Position.Weight, 0, n)
	}
	return m.firsts[n]
}

// block records one layer. attend turns the packed projection [B,T,3D] into the
// attention's result [B,T,D].
func (k *Block) forward(b *graph.Builder, x graph.Value, act graph.Act, attend func(qkv graph.Value) graph.Value) graph.Value {
	qkv := k.Attn.QKV.Forward(b, k.Norm1.Forward(b, x), graph.LinearOpts{})
	x = k.Attn.Out.Forward(b, attend(qkv), graph.LinearOpts{Residual: x})
	h := k.MLP.FC.Forward(b, k.Norm2.Forward(b, x), graph.LinearOpts{Act: act})
	return k.MLP.Out.Forward(b, h, graph.LinearOpts{Residual: x})
}

// logits records the output layer. Shapes: x [B,T,D], the result [B,T,V].
func (m *Model) logits(b *graph.Builder, x graph.Value) graph.Value {
	x = m.Core.Norm.Forward(b, x)
	b.Tap("ln_f", x)
	return b.Linear(x, m.Core.Token.Weight, graph.LinearOpts{})
}

// ScoreProgram returns a program that reads whole sequences at once: prefix
// [B,P,D], tokens [B,T] and, where masked, keys [B,P+T] (1 keep, 0 drop) in,
// logits [B,P+T,V] out. T may be 0. The names in taps, h1 and so on, become
// outputs too.
func (m *Model) ScoreProgram(batch, prefix, tokens int, masked bool, taps ...string) (*graph.Program, error) {
	if prefix < 1 || prefix+tokens > m.cfg.Positions {
		return nil, fmt.Errorf("decoder: %d+%d positions; the model has %d", prefix, tokens, m.cfg.Positions)
	}
	return graph.Build(m.dev, func(b *graph.Builder) {
		d := m.cfg.Width
		x := b.Input("prefix", batch, prefix, d)
		if tokens > 0 {
			x = b.Concat(1, x, m.Core.Token.Forward(b, b.InputI32("tokens", batch, tokens)))
		}
		var keys graph.Value
		if masked {
			keys = b.Input("keys", batch, prefix+tokens)
		}
		x = b.AddParam(x, m.positions(prefix+tokens))
		for i, k := range m.Core.Blocks {
			x = k.forward(b, x, m.cfg.act, func(qkv graph.Value) graph.Value {
				return b.Attention(qkv, qkv, qkv, graph.AttentionOpts{Heads: m.cfg.Heads, D: d / m.cfg.Heads, KOff: d, VOff: 2 * d, Causal: true, Mask: keys})
			})
			b.Tap(fmt.Sprintf("h%d", i+1), x)
		}
		b.Output("logits", m.logits(b, x))
	}, taps...)
}
