package sd

import (
	"context"
	"fmt"

	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// VAE turns pictures into latents and back. Its fields' names are those of
// current diffusers.
//
// Concurrency: one call at a time.
type VAE struct {
	Encoder   *Encoder   `w:"encoder"`
	Decoder   *Decoder   `w:"decoder"`
	Quant     *nn.Conv2D `w:"quant_conv"`
	PostQuant *nn.Conv2D `w:"post_quant_conv"`

	cfg   VAEConfig
	dev   graph.Device
	cache *graph.Cache[vaeKey]
}

// Encoder makes the moments of latents from pictures.
type Encoder struct {
	ConvIn  *nn.Conv2D    `w:"conv_in"`
	Down    []*Block      `w:"down_blocks"`
	Mid     *Middle       `w:"mid_block"`
	NormOut *nn.GroupNorm `w:"conv_norm_out"`
	ConvOut *nn.Conv2D    `w:"conv_out"`
}

// Decoder makes pictures from latents.
type Decoder struct {
	ConvIn  *nn.Conv2D    `w:"conv_in"`
	Up      []*Block      `w:"up_blocks"`
	Mid     *Middle       `w:"mid_block"`
	NormOut *nn.GroupNorm `w:"conv_norm_out"`
	ConvOut *nn.Conv2D    `w:"conv_out"`
}

// Middle is the level at which cells attend to one another.
type Middle struct {
	Attentions []*SelfAttention `w:"attentions"`
	Resnets    []*Resnet        `w:"resnets"`
}

// SelfAttention is attention of one head over a picture's cells.
type SelfAttention struct {
	Norm *nn.GroupNorm `w:"group_norm"`
	Q    *nn.Linear    `w:"to_q"`
	K    *nn.Linear    `w:"to_k"`
	V    *nn.Linear    `w:"to_v"`
	Out  *nn.Linear    `w:"to_out.0"`

	qkv *nn.Conv2D // stacked, in the form that takes the norm as a prologue
}

type vaeKey struct {
	decode      bool
	batch, h, w int
}

// vaePrograms is how many shapes an autoencoder keeps ready; a 512×512 decoder
// takes 0.8 GB.
const vaePrograms = 2

// vaeEps is the epsilon of every norm.
// Source: diffusers models/autoencoders/vae.py, resnet_eps.
const vaeEps = 1e-6

// maxPixels bounds the pixels of a program's pictures, all batch items together.
const maxPixels = 1 << 26

// NewVAE returns an autoencoder of this size without weights.
func NewVAE(c VAEConfig) *VAE {
	first, top := c.Channels[0], len(c.Channels)-1
	widest := c.Channels[top]
	resnet := func(in, out int) *Resnet { return newResnet(in, out, 0, c.Groups, vaeEps) }
	middle := func() *Middle {
		a := &SelfAttention{
			Norm: nn.NewGroupNorm(widest, c.Groups, vaeEps),
			Q:    nn.NewLinear(widest, widest, true), K: nn.NewLinear(widest, widest, true),
			V: nn.NewLinear(widest, widest, true), Out: nn.NewLinear(widest, widest, true),
		}
		a.qkv = nn.Pointwise(nn.StackLinear(a.Q, a.K, a.V))
		return &Middle{[]*SelfAttention{a}, []*Resnet{resnet(widest, widest), resnet(widest, widest)}}
	}
	v := &VAE{
		Encoder: &Encoder{
			ConvIn: nn.NewConv2D(c.In, first, 3, 1, 1, true), Mid: middle(),
			NormOut: nn.NewGroupNorm(widest, c.Groups, vaeEps), ConvOut: nn.NewConv2D(widest, 2*c.Latent, 3, 1, 1, true),
		},
		Decoder: &Decoder{
			ConvIn: nn.NewConv2D(c.Latent, widest, 3, 1, 1, true), Mid: middle(),
			NormOut: nn.NewGroupNorm(first, c.Groups, vaeEps), ConvOut: nn.NewConv2D(first, c.Out, 3, 1, 1, true),
		},
		cfg: c,
	}
	if c.Quant {
		v.Quant = nn.NewConv2D(2*c.Latent, 2*c.Latent, 1, 1, 0, true)
	}
	if c.PostQuant {
		v.PostQuant = nn.NewConv2D(c.Latent, c.Latent, 1, 1, 0, true)
	}
	in := first
	for i, out := range c.Channels {
		block := &Block{}
		for range c.Layers {
			block.Resnets = append(block.Resnets, resnet(in, out))
			in = out
		}
		if i < top {
			block.Down = []*Sampler{{nn.NewPaddedConv2D(out, out, 3, 2, graph.Pad{Bottom: 1, Right: 1}, true)}}
		}
		v.Encoder.Down = append(v.Encoder.Down, block)
	}
	for i := range c.Channels {
		out, block := c.Channels[top-i], &Block{}
		for range c.Layers + 1 {
			block.Resnets = append(block.Resnets, resnet(in, out))
			in = out
		}
		if i < top {
			block.Up = []*Sampler{{nn.NewConv2D(out, out, 3, 1, 1, true)}}
		}
		v.Decoder.Up = append(v.Decoder.Up, block)
	}
	return v
}

// LoadVAE returns the autoencoder that config.json describes, with weights from
// src, to run on d. src must stay open while the model lives.
func LoadVAE(d graph.Device, config []byte, src weights.Source) (*VAE, error) {
	c, err := ParseVAE(config)
	if err != nil {
		return nil, err
	}
	v := NewVAE(c)
	v.dev, v.cache = d, graph.NewCache[vaeKey](vaePrograms)
	return v, nn.Load(v, "", src)
}

// Config returns the model's sizes.
func (v *VAE) Config() VAEConfig { return v.cfg }

// Factor returns how many pixels a side of a latent's cell covers.
func (v *VAE) Factor() int { return 1 << (len(v.cfg.Channels) - 1) }

// Cells returns the latent's size of an H×W picture: each level but the last
// halves, rounding down.
func (v *VAE) Cells(H, W int) (h, w int) { return H / v.Factor(), W / v.Factor() }

// Close frees the model's programs.
func (v *VAE) Close() error { return v.cache.Close() }

// Decode makes pictures of latents as the UNet leaves them divided by Scale, plus
// Shift. Shapes: z [batch,h,w,Latent]; dst [batch,h·F,w·F,Out], F being Factor,
// gets values around [-1,1], not clipped.
func (v *VAE) Decode(ctx context.Context, dst, z []float32, batch, h, w int) error {
	p, err := v.DecodeProgram(batch, h, w)
	if err != nil {
		return err
	}
	in, out := p.F32("latent"), p.F32("sample")
	if len(z) != len(in) || len(dst) != len(out) {
		return fmt.Errorf("sd: %d values in and %d out aren't %d latents of %d×%d and their pictures", len(z), len(dst), batch, h, w)
	}
	copy(in, z)
	if err := p.Run(ctx); err != nil {
		return err
	}
	copy(dst, out)
	return nil
}

// The bounds of a log variance.
// Source: diffusers models/autoencoders/vae.py, DiagonalGaussianDistribution.
const minLogVar, maxLogVar = -30, 20

// Encode makes the distribution of latents of pictures: the mean and the
// logarithm of the variance of every value. Shapes: x [batch,H,W,In], values in
// [-1,1]; mean and logvar [batch,h,w,Latent], see Cells.
func (v *VAE) Encode(ctx context.Context, mean, logvar, x []float32, batch, H, W int) error {
	p, err := v.EncodeProgram(batch, H, W)
	if err != nil {
		return err
	}
	in, moments, c := p.F32("image"), p.F32("moments"), v.cfg.Latent
	if len(x) != len(in) || 2*len(mean) != len(moments) || 2*len(logvar) != len(moments) {
		return fmt.Errorf("sd: %d values in and %d out aren't %d pictures of %d×%d and their latents", len(x), len(mean), batch, H, W)
	}
	copy(in, x)
	if err := p.Run(ctx); err != nil {
		return err
	}
	for i := 0; i < len(mean); i += c {
		copy(mean[i:i+c], moments[2*i:])
		for j, l := range moments[2*i+c : 2*i+2*c] {
			logvar[i+j] = min(max(l, minLogVar), maxLogVar)
		}
	}
	return nil
}

// DecodeProgram returns the program of batch latents of h×w: latent
// [batch,h,w,Latent] in, sample [batch,h·F,w·F,Out] out. The names in taps, such
// as dec_mid, become outputs too.
func (v *VAE) DecodeProgram(batch, h, w int, taps ...string) (*graph.Program, error) {
	f := v.Factor()
	if h < 1 || w < 1 || h > maxPixels/f || w > maxPixels/f {
		return nil, fmt.Errorf("sd: a latent of %d×%d can't be decoded", h, w)
	}
	return v.program(vaeKey{true, batch, h, w}, h*f, w*f, func(b *graph.Builder) { v.decode(b, batch, h, w) }, taps)
}

// EncodeProgram returns the program of batch pictures of H×W: image
// [batch,H,W,In] in, moments [batch,h,w,2·Latent] out, means first. The names in
// taps, such as enc_mid, become outputs too.
func (v *VAE) EncodeProgram(batch, H, W int, taps ...string) (*graph.Program, error) {
	return v.program(vaeKey{false, batch, H, W}, H, W, func(b *graph.Builder) { v.encode(b, batch, H, W) }, taps)
}

func (v *VAE) program(k vaeKey, H, W int, record func(*graph.Builder), taps []string) (*graph.Program, error) {
	if err := v.possible(k.batch, H, W); err != nil {
		return nil, err
	}
	if len(taps) > 0 {
		return graph.Build(v.dev, record, taps...)
	}
	return v.cache.Get(k, func() (*graph.Program, error) { return graph.Build(v.dev, record) })
}

// possible refuses sizes that no machine could compute.
func (v *VAE) possible(batch, H, W int) error {
	if f := v.Factor(); batch < 1 || H < f || W < f || H > maxPixels || W > maxPixels || H*W > maxPixels || batch > maxPixels/(H*W) {
		return fmt.Errorf("sd: %d pictures of %d×%d: sides of %d pixels and more, and at most %d pixels in all, can be computed at once", batch, W, H, f, maxPixels)
	}
	return nil
}

func (v *VAE) encode(b *graph.Builder, batch, H, W int) {
	e := v.Encoder
	x := e.ConvIn.Forward(b, b.Input("image", batch, H, W, v.cfg.In), graph.ConvOpts{})
	for i, block := range e.Down {
		for _, r := range block.Resnets {
			x = r.forward(b, x, graph.Value{})
		}
		for _, s := range block.Down {
			x = s.Conv.Forward(b, x, graph.ConvOpts{})
		}
		b.Tap(fmt.Sprintf("enc_down%d", i), x)
	}
	x = e.Mid.forward(b, x)
	b.Tap("enc_mid", x)
	x = e.ConvOut.Forward(b, x, graph.ConvOpts{Norm: e.NormOut.Prologue(ref.SiLU)})
	if v.Quant != nil {
		x = v.Quant.Forward(b, x, graph.ConvOpts{})
	}
	b.Output("moments", x)
}

func (v *VAE) decode(b *graph.Builder, batch, h, w int) {
	d := v.Decoder
	x := b.Input("latent", batch, h, w, v.cfg.Latent)
	if v.PostQuant != nil {
		x = v.PostQuant.Forward(b, x, graph.ConvOpts{})
	}
	x = d.ConvIn.Forward(b, x, graph.ConvOpts{})
	b.Tap("dec_conv_in", x)
	x = d.Mid.forward(b, x)
	b.Tap("dec_mid", x)
	for i, block := range d.Up {
		for _, r := range block.Resnets {
			x = r.forward(b, x, graph.Value{})
		}
		for _, s := range block.Up {
			x = s.upsample(b, x, 2*x.Dim(1), 2*x.Dim(2))
		}
		b.Tap(fmt.Sprintf("dec_up%d", i), x)
	}
	b.Output("sample", d.ConvOut.Forward(b, x, graph.ConvOpts{Norm: d.NormOut.Prologue(ref.SiLU)}))
}

func (m *Middle) forward(b *graph.Builder, x graph.Value) graph.Value {
	x = m.Resnets[0].forward(b, x, graph.Value{})
	a, n, h, w, c := m.Attentions[0], x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
	qkv := b.Reshape(a.qkv.Forward(b, x, graph.ConvOpts{Norm: a.Norm.Prologue(ref.None)}), n, h*w, 3*c)
	o := b.Attention(qkv, qkv, qkv, graph.AttentionOpts{Heads: 1, D: c, KOff: c, VOff: 2 * c})
	y := a.Out.Forward(b, o, graph.LinearOpts{Residual: b.Reshape(x, n, h*w, c)})
	return m.Resnets[1].forward(b, b.Reshape(y, n, h, w, c), graph.Value{})
}
