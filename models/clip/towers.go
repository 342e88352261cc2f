package clip

import (
	"syntic/nn"
	"syntic/tensor/graph"
)

// VisionEmbeddings turns a picture into tokens.
type VisionEmbeddings struct {
	Class    *graph.Param  `w:"class_embedding"`
	Patch    *nn.Conv2D    `w:"patch_embedding"`
	Position *nn.Embedding `w:"position_embedding"`
}

// VisionTower is the picture transformer. The name pre_layrnorm is the
// checkpoint's own spelling.
type VisionTower struct {
	Embeddings *VisionEmbeddings `w:"embeddings"`
	PreNorm    *nn.LayerNorm     `w:"pre_layrnorm"`
	Encoder    *Encoder          `w:"encoder"`
	PostNorm   *nn.LayerNorm     `w:"post_layernorm"`
	cfg        Vision
}

func newVisionTower(c Vision) *VisionTower {
	grid := c.Image / c.Patch
	return &VisionTower{
		Embeddings: &VisionEmbeddings{
			Class:    graph.NewParam(c.Hidden),
			Patch:    nn.NewConv2D(3, c.Hidden, c.Patch, c.Patch, 0, false),
			Position: nn.NewEmbedding(grid*grid+1, c.Hidden),
		},
		PreNorm:  nn.NewLayerNorm(c.Hidden, c.Eps),
		Encoder:  newEncoder(c.Tower),
		PostNorm: nn.NewLayerNorm(c.Hidden, c.Eps),
		cfg:      c,
	}
}

// forward records the tower up to the normalised class token. Shapes: pixels
// [B,S,S,3], the result [B,D]. full computes every row of the last layer, for
// the taps.
func (t *VisionTower) forward(b *graph.Builder, pixels graph.Value, full bool) graph.Value {
	n, d := pixels.Dim(0), t.cfg.Hidden
	patches := t.Embeddings.Patch.Forward(b, pixels, graph.ConvOpts{})
	patches = b.Reshape(patches, n, patches.Dim(1)*patches.Dim(2), d)
	class := b.Reshape(b.RepeatParam(t.Embeddings.Class, n), n, 1, d)
	x := b.AddParam(b.Concat(1, class, patches), t.Embeddings.Position.Weight)
	x = t.PreNorm.Forward(b, x)
	b.Tap("vision_emb", x)
	first := func(x graph.Value) graph.Value { return b.Slice(x, 1, 0, 1) }
	if full {
		x = t.Encoder.all(b, x, false, graph.Value{}, "vision_layer")
		b.Tap("last_hidden_state", x)
		x = first(x)
	} else {
		x = t.Encoder.one(b, x, false, graph.Value{}, "vision_layer", first)
	}
	return t.PostNorm.Forward(b, b.Reshape(x, n, d))
}

// TextEmbeddings turns token ids into vectors.
type TextEmbeddings struct {
	Token    *nn.Embedding `w:"token_embedding"`
	Position *nn.Embedding `w:"position_embedding"`
}

// TextTower is the text transformer.
type TextTower struct {
	Embeddings *TextEmbeddings `w:"embeddings"`
	Encoder    *Encoder        `w:"encoder"`
	FinalNorm  *nn.LayerNorm   `w:"final_layer_norm"`
	cfg        Text
	positions  map[int]*graph.Param // the first T rows of the position table
}

func newTextTower(c Text) *TextTower {
	return &TextTower{
		Embeddings: &TextEmbeddings{nn.NewEmbedding(c.Vocab, c.Hidden), nn.NewEmbedding(c.Positions, c.Hidden)},
		Encoder:    newEncoder(c.Tower),
		FinalNorm:  nn.NewLayerNorm(c.Hidden, c.Eps),
		cfg:        c,
		positions:  map[int]*graph.Param{},
	}
}

// embed records token and position embeddings. Shapes: ids [B,T], the result
// [B,T,D].
func (t *TextTower) embed(b *graph.Builder, ids graph.Value) graph.Value {
	n := ids.Dim(1)
	if t.positions[n] == nil {
		t.positions[n] = graph.Rows(t.Embeddings.Position.Weight, 0, n)
	}
	return b.AddParam(t.Embeddings.Token.Forward(b, ids), t.positions[n])
}

// hidden records the whole tower: every row, normalised. Shapes: ids [B,T],
// mask [B,T] or absent, the result [B,T,D].
func (t *TextTower) hidden(b *graph.Builder, ids, mask graph.Value) graph.Value {
	x := t.Encoder.all(b, t.embed(b, ids), true, mask, "text_layer")
	b.Tap("text_last", x)
	x = t.FinalNorm.Forward(b, x)
	b.Tap("text_last_hidden", x)
	return x
}

// pooled records the tower for the row at index end of each text alone. keys
// [B,T] is 1 up to that row and 0 after it.
// Shapes: ids [B,T], end [B], the result [B,D].
func (t *TextTower) pooled(b *graph.Builder, ids, end, keys graph.Value) graph.Value {
	n, d := ids.Dim(0), t.cfg.Hidden
	row := func(x graph.Value) graph.Value { return b.Reshape(b.Gather(x, end), n, 1, d) }
	x := t.Encoder.one(b, t.embed(b, ids), true, keys, "text_layer", row)
	return t.FinalNorm.Forward(b, b.Reshape(x, n, d))
}
