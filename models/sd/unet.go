package sd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"syntic/kernels/ref"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// UNet predicts what is noise in a latent. Its fields' names are the diffusers
// checkpoint's.
//
// Concurrency: one call at a time.
type UNet struct {
	ConvIn  *nn.Conv2D     `w:"conv_in"`
	Time    *TimeEmbedding `w:"time_embedding"`
	Down    []*Block       `w:"down_blocks"`
	Mid     *Block         `w:"mid_block"`
	Up      []*Block       `w:"up_blocks"`
	NormOut *nn.GroupNorm  `w:"conv_norm_out"`
	ConvOut *nn.Conv2D     `w:"conv_out"`

	cfg    UNetConfig
	times  *nn.Linear // every resnet's time_emb_proj, stacked
	kv     *nn.Linear // every layer's to_k and to_v of the prompt, stacked
	dev    graph.Device
	cache  *graph.Cache[unetKey]
	states map[promptKey]*graph.State // the prompt's keys and values

	prompt  promptKey // of the prompt in use
	encoder *graph.Program

	solvers map[unetKey]*solverStates
	solver  *solver // of the drawing in progress
}

// TimeEmbedding is the perceptron over the sinusoids of a time.
type TimeEmbedding struct {
	Linear1 *nn.Linear `w:"linear_1"`
	Linear2 *nn.Linear `w:"linear_2"`
}

type promptKey struct{ batch, length int }

type unetKey struct {
	promptKey
	latents, h, w int
	solverKey
}

// unetPrograms is how many shapes a UNet keeps ready: a size or two, the last
// batch of a run being smaller.
const unetPrograms = 3

// maxCells bounds the cells of a program's latents, all batch items together:
// 64 pictures of 1024×1024.
const maxCells = 1 << 20

// NewUNet returns a UNet of this size without weights.
func NewUNet(c UNetConfig) *UNet {
	top, time := len(c.Channels)-1, 4*c.Channels[0]
	widest := c.Channels[top]
	u := &UNet{
		ConvIn:  nn.NewConv2D(c.In, c.Channels[0], 3, 1, 1, true),
		Time:    &TimeEmbedding{nn.NewLinear(c.Channels[0], time, true), nn.NewLinear(time, time, true)},
		NormOut: nn.NewGroupNorm(c.Channels[0], c.Groups, c.Eps),
		ConvOut: nn.NewConv2D(c.Channels[0], c.Out, 3, 1, 1, true),
		cfg:     c,
		states:  map[promptKey]*graph.State{},
		solvers: map[unetKey]*solverStates{},
	}
	in := c.Channels[0]
	for i, out := range c.Channels {
		block := &Block{}
		for range c.Layers {
			block.Resnets = append(block.Resnets, newResnet(in, out, time, c.Groups, c.Eps))
			if in = out; c.Down[i] {
				block.Attentions = append(block.Attentions, newTransformer(c, out, c.Heads[i]))
			}
		}
		if i < top {
			block.Down = []*Sampler{{nn.NewConv2D(out, out, 3, 2, 1, true)}}
		}
		u.Down = append(u.Down, block)
	}
	u.Mid = &Block{
		Attentions: []*Transformer{newTransformer(c, widest, c.Heads[top])},
		Resnets:    []*Resnet{newResnet(widest, widest, time, c.Groups, c.Eps), newResnet(widest, widest, time, c.Groups, c.Eps)},
	}
	for i := range c.Channels {
		out, below := c.Channels[top-i], c.Channels[max(top-i-1, 0)]
		block := &Block{}
		for j := range c.Layers + 1 {
			skip := out
			if j == c.Layers {
				skip = below // the skip that the level below left before its resnets
			}
			block.Resnets = append(block.Resnets, newResnet(in+skip, out, time, c.Groups, c.Eps))
			if in = out; c.Up[i] {
				block.Attentions = append(block.Attentions, newTransformer(c, out, c.Heads[top-i]))
			}
		}
		if i < top {
			block.Up = []*Sampler{{nn.NewConv2D(out, out, 3, 1, 1, true)}}
		}
		u.Up = append(u.Up, block)
	}
	u.stack()
	return u
}

// stack joins the projections that share an input.
func (u *UNet) stack() {
	var times, kv []*nn.Linear
	timeAt, kvAt := 0, 0
	for _, block := range slices.Concat(u.Down, []*Block{u.Mid}, u.Up) {
		for _, r := range block.Resnets {
			r.timeAt = timeAt
			timeAt += r.Time.Bias.Shape[0]
			times = append(times, r.Time)
		}
		for _, t := range block.Attentions {
			for _, l := range t.Layers {
				l.kvAt = kvAt
				kvAt += 2 * l.Cross.K.Weight.Shape[0]
				kv = append(kv, l.Cross.K, l.Cross.V)
			}
		}
	}
	u.times, u.kv = nn.StackLinear(times...), nn.StackLinear(kv...)
}

// LoadUNet returns the UNet that config.json describes, with weights from src, to
// run on d. src must stay open while the model lives.
func LoadUNet(d graph.Device, config []byte, src weights.Source) (*UNet, error) {
	c, err := ParseUNet(config)
	if err != nil {
		return nil, err
	}
	u := NewUNet(c)
	u.dev, u.cache = d, graph.NewCache[unetKey](unetPrograms)
	return u, nn.Load(u, "", src)
}

// Config returns the model's sizes.
func (u *UNet) Config() UNetConfig { return u.cfg }

// Close frees the model's programs.
func (u *UNet) Close() error {
	err := errors.Join(u.cache.Close(), u.endSolver())
	if u.encoder != nil {
		err = errors.Join(err, u.encoder.Close())
		u.encoder = nil
	}
	return err
}

// SetContext sets the prompts of the steps to come: it computes every layer's
// keys and values of them, once. Shapes: hidden [batch,L,Context], the text
// encoder's rows; with guidance the unconditional ones are batch items too.
func (u *UNet) SetContext(ctx context.Context, hidden []float32, batch int) error {
	c := u.cfg.Context
	if batch < 1 || len(hidden) == 0 || len(hidden)%(batch*c) != 0 {
		return fmt.Errorf("sd: %d values aren't %d prompts of rows of %d", len(hidden), batch, c)
	}
	key := promptKey{batch, len(hidden) / (batch * c)}
	if u.encoder == nil || u.prompt != key {
		p, err := u.encodeProgram(key)
		if err != nil {
			return err
		}
		if u.encoder != nil {
			if err := u.encoder.Close(); err != nil {
				return err
			}
		}
		// The program keeps the state alive while no step's program does.
		u.prompt, u.encoder = key, p
	}
	copy(u.encoder.F32("hidden"), hidden)
	return u.encoder.Run(ctx)
}

// state returns the memory of the prompts' keys and values, [batch,L,·].
func (u *UNet) state(k promptKey) *graph.State {
	if u.states[k] == nil {
		u.states[k] = graph.NewState("prompt", k.batch, k.length, u.kv.Weight.Shape[0])
	}
	return u.states[k]
}

// encodeProgram returns the program that fills the state: hidden
// [batch,L,Context] in.
func (u *UNet) encodeProgram(k promptKey) (*graph.Program, error) {
	return graph.Build(u.dev, func(b *graph.Builder) { u.recordContext(b, k) })
}

func (u *UNet) recordContext(b *graph.Builder, k promptKey) {
	kv := u.kv.Forward(b, b.Input("hidden", k.batch, k.length, u.cfg.Context), graph.LinearOpts{})
	b.CacheWrite(u.state(k), kv, 0, b.InputI32("row", 1)) // row 0: inputs begin as zeros
}

// Step predicts the noise (or whatever the model was trained to predict) of the
// latents at their times, for the prompts of the last SetContext. There are as many
// prompts as latents, or a multiple: latent i then has the prompts i, i+N and so on,
// and what doesn't depend on them is computed once. Shapes: x [N,H,W,In], times [N],
// dst [prompts,H,W,Out].
//
// Allocs: none once a shape's program exists.
func (u *UNet) Step(ctx context.Context, dst, x []float32, times []float64, H, W int) error {
	n, prompts := len(times), u.prompt.batch
	if u.encoder == nil || n == 0 || prompts%n != 0 {
		return fmt.Errorf("sd: a step of %d latents for %d prompts", n, prompts)
	}
	p, err := u.Program(n, prompts, H, W, u.prompt.length)
	if err != nil {
		return err
	}
	if len(x) != n*H*W*u.cfg.In || len(dst) != prompts*H*W*u.cfg.Out {
		return fmt.Errorf("sd: %d values in and %d out aren't %d latents of %d×%d for %d prompts", len(x), len(dst), n, H, W, prompts)
	}
	copy(p.F32("latent"), x)
	u.Sinusoids(p.F32("time"), times)
	if err := p.Run(ctx); err != nil {
		return err
	}
	copy(dst, p.F32("prediction"))
	return nil
}

// Program returns the program of a step for latents of H×W, and prompts, a multiple
// of them, of length rows: latent [latents,H,W,In] and time [latents,C] (see
// Sinusoids) in, prediction [prompts,H,W,Out] out. The names in taps, such as mid,
// become outputs too.
func (u *UNet) Program(latents, prompts, H, W, length int, taps ...string) (*graph.Program, error) {
	if err := u.possible(prompts, H, W); err != nil {
		return nil, err
	}
	k := unetKey{promptKey: promptKey{prompts, length}, latents: latents, h: H, w: W}
	if len(taps) > 0 {
		return graph.Build(u.dev, func(b *graph.Builder) { u.record(b, k) }, taps...)
	}
	return u.cache.Get(k, func() (*graph.Program, error) {
		return graph.Build(u.dev, func(b *graph.Builder) { u.record(b, k) })
	})
}

// possible refuses sizes that no machine could compute.
func (u *UNet) possible(batch, H, W int) error {
	if batch < 1 || H < 1 || W < 1 || H > maxCells || W > maxCells || H*W > maxCells || batch > maxCells/(H*W) {
		return fmt.Errorf("sd: %d latents of %d×%d: at most %d cells in all can be computed at once", batch, H, W, maxCells)
	}
	return nil
}

func (u *UNet) record(b *graph.Builder, k unetKey) {
	b.Output("prediction", u.predict(b, k, b.Input("latent", k.latents, k.h, k.w, u.cfg.In)))
}

// predict records the prediction [batch,h,w,Out] for a latent [latents,h,w,In].
func (u *UNet) predict(b *graph.Builder, k unetKey, latent graph.Value) graph.Value {
	kv := b.State(u.state(k.promptKey))
	t := u.Time.Linear1.Forward(b, b.Input("time", k.latents, u.cfg.Channels[0]), graph.LinearOpts{Act: ref.SiLU})
	t = u.Time.Linear2.Forward(b, t, graph.LinearOpts{})
	b.Tap("time_embedding", t)
	times := u.times.Forward(b, b.Activate(t, ref.SiLU), graph.LinearOpts{})

	x := u.ConvIn.Forward(b, latent, graph.ConvOpts{})
	b.Tap("conv_in", x)
	skips := []graph.Value{x}
	for i, block := range u.Down {
		for j, r := range block.Resnets {
			x = r.forward(b, x, times)
			b.Tap(fmt.Sprintf("down%d_res%d", i, j), x)
			if block.Attentions != nil {
				x = block.Attentions[j].forward(b, x, kv)
				times = perPrompt(b, times, k.batch)
				b.Tap(fmt.Sprintf("down%d_attn%d", i, j), x)
			}
			skips = append(skips, x)
		}
		for _, s := range block.Down {
			x = s.Conv.Forward(b, x, graph.ConvOpts{})
			skips = append(skips, x)
		}
		b.Tap(fmt.Sprintf("down%d", i), x)
	}
	x = u.Mid.Resnets[0].forward(b, x, times)
	x = u.Mid.Attentions[0].forward(b, x, kv)
	times = perPrompt(b, times, k.batch)
	x = u.Mid.Resnets[1].forward(b, x, times)
	b.Tap("mid", x)
	for i, block := range u.Up {
		for j, r := range block.Resnets {
			last := len(skips) - 1
			x = r.forward(b, b.Concat(-1, x, perPrompt(b, skips[last], k.batch)), times)
			skips = skips[:last]
			if block.Attentions != nil {
				x = block.Attentions[j].forward(b, x, kv)
			}
		}
		for _, s := range block.Up {
			next := skips[len(skips)-1] // odd sizes don't double
			x = s.upsample(b, x, next.Dim(1), next.Dim(2))
		}
		b.Tap(fmt.Sprintf("up%d", i), x)
	}
	return u.ConvOut.Forward(b, x, graph.ConvOpts{Norm: u.NormOut.Prologue(ref.SiLU)})
}
