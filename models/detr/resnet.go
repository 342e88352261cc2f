package detr

import (
	"fmt"

	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor/graph"
)

// Backbone is a ResNet with frozen batch norms, under timm's names. The norms
// are folded into the convolutions when a device packs them.
type Backbone struct {
	Conv1  *nn.Conv2D          `w:"conv1"`
	BN1    *nn.FrozenBatchNorm `w:"bn1"`
	Layer1 []*Block            `w:"layer1"`
	Layer2 []*Block            `w:"layer2"`
	Layer3 []*Block            `w:"layer3"`
	Layer4 []*Block            `w:"layer4"`

	stem *nn.Conv2D
}

// Block is one residual block: two 3×3 convolutions ("basic"), or 1×1, 3×3, 1×1
// ("bottleneck").
type Block struct {
	Conv1    *nn.Conv2D          `w:"conv1"`
	BN1      *nn.FrozenBatchNorm `w:"bn1"`
	Conv2    *nn.Conv2D          `w:"conv2"`
	BN2      *nn.FrozenBatchNorm `w:"bn2"`
	Conv3    *nn.Conv2D          `w:"conv3"`
	BN3      *nn.FrozenBatchNorm `w:"bn3"`
	Down     *nn.Conv2D          `w:"downsample.0"`
	DownNorm *nn.FrozenBatchNorm `w:"downsample.1"`

	convs []*nn.Conv2D // with the norms folded in
	down  *nn.Conv2D   // nil where the input is added as it is
}

func newBackbone(r ResNet) *Backbone {
	b := &Backbone{Conv1: nn.NewConv2D(3, r.Embedding, 7, 2, 3, false), BN1: nn.NewFrozenBatchNorm(r.Embedding)}
	b.stem = nn.Fold(b.Conv1, b.BN1)
	in := r.Embedding
	for i, stage := range []*[]*Block{&b.Layer1, &b.Layer2, &b.Layer3, &b.Layer4}[:len(r.Hidden)] {
		for j := range r.Depths[i] {
			stride := 1
			if j == 0 && (i > 0 || r.DownsampleFirst) {
				stride = 2
			}
			*stage = append(*stage, newBlock(in, r.Hidden[i], stride, r.Layer == "basic"))
			in = r.Hidden[i]
		}
	}
	return b
}

func newBlock(in, out, stride int, basic bool) *Block {
	b := &Block{}
	if basic {
		b.Conv1, b.BN1 = nn.NewConv2D(in, out, 3, stride, 1, false), nn.NewFrozenBatchNorm(out)
		b.Conv2, b.BN2 = nn.NewConv2D(out, out, 3, 1, 1, false), nn.NewFrozenBatchNorm(out)
		b.convs = []*nn.Conv2D{nn.Fold(b.Conv1, b.BN1), nn.Fold(b.Conv2, b.BN2)}
	} else {
		mid := out / 4
		b.Conv1, b.BN1 = nn.NewConv2D(in, mid, 1, 1, 0, false), nn.NewFrozenBatchNorm(mid)
		b.Conv2, b.BN2 = nn.NewConv2D(mid, mid, 3, stride, 1, false), nn.NewFrozenBatchNorm(mid)
		b.Conv3, b.BN3 = nn.NewConv2D(mid, out, 1, 1, 0, false), nn.NewFrozenBatchNorm(out)
		b.convs = []*nn.Conv2D{nn.Fold(b.Conv1, b.BN1), nn.Fold(b.Conv2, b.BN2), nn.Fold(b.Conv3, b.BN3)}
	}
	if stride != 1 || in != out {
		b.Down, b.DownNorm = nn.NewConv2D(in, out, 1, stride, 0, false), nn.NewFrozenBatchNorm(out)
		b.down = nn.Fold(b.Down, b.DownNorm)
	}
	return b
}

// forward records the backbone. Shapes: x [B,H,W,3], the result [B,h,w,C].
func (r *Backbone) forward(b *graph.Builder, x graph.Value) graph.Value {
	x = r.stem.Forward(b, x, graph.ConvOpts{Act: ref.ReLU})
	x = b.MaxPool(x, 3, 2, 1)
	b.Tap("stem", x)
	for i, stage := range [][]*Block{r.Layer1, r.Layer2, r.Layer3, r.Layer4} {
		for _, block := range stage {
			x = block.forward(b, x)
		}
		if len(stage) > 0 {
			b.Tap(fmt.Sprintf("layer%d", i+1), x)
		}
	}
	b.Tap("backbone", x)
	return x
}

func (k *Block) forward(b *graph.Builder, x graph.Value) graph.Value {
	residual := x
	if k.down != nil {
		residual = k.down.Forward(b, x, graph.ConvOpts{})
	}
	last := len(k.convs) - 1
	for _, c := range k.convs[:last] {
		x = c.Forward(b, x, graph.ConvOpts{Act: ref.ReLU})
	}
	return k.convs[last].Forward(b, x, graph.ConvOpts{Act: ref.ReLU, Residual: residual})
}
