package sd

import (
	"context"
	"errors"
	"math"
	"sync/atomic"

	"syntic/kernels/elem"
	"syntic/models/vision"
)

// Pictures decodes the latents.
//
// Errors: ctx's; pixels that aren't finite.
func (d *Drawing) Pictures(ctx context.Context) ([]*vision.Picture, error) {
	x, err := d.Latents(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.p.release(d.p.UNet); err != nil {
		return nil, err
	}
	list, err := d.decode(ctx, x, d.h, d.w, d.p.together(d.n, d.Settings), d.Tiles)
	return list, errors.Join(err, d.p.release(d.p.VAE))
}

// A device that takes cpuBatch pictures at once (graph.Device) is busy with one
// latent of busyPixels, and a batch would only take more memory; one that takes
// more, as GPUs do, is given as many times the pixels.
const (
	cpuBatch   = 32
	busyPixels = 512 * 512
)

// together returns how many latents of a drawing of n are decoded at a time.
func (p *Pipeline) together(n int, s Settings) int {
	most := p.dev.Batch() / cpuBatch
	if most <= 1 || s.Tiles || s.Singly {
		return 1
	}
	most = min(max(most*busyPixels/(s.Width*s.Height), 1), n)
	batches := (n + most - 1) / most
	return (n + batches - 1) / batches
}

// previewCells bounds the sides of a preview's latents: it takes a small part of
// a step.
const previewCells = 16

// Preview decodes what the last step's prediction would make of the latents, in
// small.
func (d *Drawing) Preview(ctx context.Context) ([]*vision.Picture, error) {
	x, err := d.Latents(ctx)
	if err != nil {
		return nil, err
	}
	if 0 < d.at && d.at < d.Steps() {
		x = d.end
	}
	by := (max(d.h, d.w) + previewCells - 1) / previewCells
	small, h, w := shrink(x, d.n, d.h, d.w, d.p.UNet.cfg.In, by)
	return d.decode(ctx, small, h, w, 1, false)
}

// shrink averages by×by cells. Shapes: x [n,h,w,c], the result [n,h',w',c].
func shrink(x []float32, n, h, w, c, by int) (out []float32, H, W int) {
	H, W = max(h/by, 1), max(w/by, 1)
	out = make([]float32, n*H*W*c)
	for i := range out {
		channel, col, row, item := i%c, i/c%W, i/c/W%H, i/c/W/H
		sum, cells := 0.0, 0
		for r := row * by; r < min((row+1)*by, h); r++ {
			for s := col * by; s < min((col+1)*by, w); s++ {
				sum += float64(x[((item*h+r)*w+s)*c+channel])
				cells++
			}
		}
		out[i] = float32(sum / float64(cells))
	}
	return out, H, W
}

// decode makes pictures of scaled latents, so many at a time. Where that doesn't
// divide their number the last batch begins earlier and makes some again: one
// program serves all, and a picture is the same in any batch.
func (d *Drawing) decode(ctx context.Context, x []float32, h, w, together int, tiles bool) ([]*vision.Picture, error) {
	v := d.p.VAE
	f, part := v.Factor(), len(x)/d.n
	out := make([]*vision.Picture, d.n)
	for i := range out {
		out[i] = vision.NewPicture(w*f, h*f)
	}
	run := v.decodeWhole
	if tiles {
		run = v.decodeTiled
	}
	for end := 0; end < d.n; {
		end = min(end+together, d.n)
		at := end - together
		sample, err := run(ctx, x[at*part:end*part], together, h, w)
		if err != nil {
			return nil, err
		}
		if err := d.p.levels(out[at:end], sample); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decodeWhole returns the pictures of scaled latents; the next run changes them.
func (v *VAE) decodeWhole(ctx context.Context, x []float32, batch, h, w int) ([]float32, error) {
	key := vaeKey{true, batch, h, w}
	if err := v.cache.Keep(func(k vaeKey) bool { return k == key || !k.decode || k.h != h || k.w != w }); err != nil {
		return nil, err // a smaller last batch doesn't take memory beside the others' program
	}
	p, err := v.DecodeProgram(batch, h, w)
	if err != nil {
		return nil, err
	}
	v.unscale(p.F32("latent"), x)
	return p.F32("sample"), p.Run(ctx)
}

// decodeTiled is decodeWhole by tiles.
func (v *VAE) decodeTiled(ctx context.Context, x []float32, batch, h, w int) ([]float32, error) {
	z, sample := make([]float32, len(x)), make([]float32, batch*h*w*v.Factor()*v.Factor()*v.cfg.Out)
	v.unscale(z, x)
	return sample, v.DecodeTiles(ctx, sample, z, batch, h, w)
}

// unscale sets dst to latents as Decode takes them, from x as the UNet leaves them.
func (v *VAE) unscale(dst, x []float32) {
	for k, value := range x {
		dst[k] = float32(float64(value)/v.cfg.Scale + v.cfg.Shift)
	}
}

// levelsPart is how many values a worker turns into levels at a time, some 0.1 ms.
const levelsPart = 1 << 15

// levels fills pictures, of one size, from what the decoder made of their latents.
//
// Errors: values that aren't finite.
func (p *Pipeline) levels(out []*vision.Picture, sample []float32) error {
	var bad atomic.Int64
	size := len(out[0].Pix)
	parts := (size + levelsPart - 1) / levelsPart
	p.pool.Run(parts*len(out), func(_, tile int) {
		i, lo := tile/parts, tile%parts*levelsPart
		pix := out[i].Pix[lo:min(lo+levelsPart, size)]
		values := sample[i*size+lo:][:len(pix)]
		if n := elem.NotFinite(values); n > 0 {
			bad.Add(int64(n))
			return
		}
		for k, v := range values {
			unit := v/2 + 0.5
			if unit < 0 { // with min and max, which mind NaN and -0, levels took 1.4 times as long
				unit = 0
			} else if unit > 1 {
				unit = 1
			}
			// From 2²³ on a float32 holds whole numbers: the sum rounds to the nearest level,
			// which is its lowest byte.
			pix[k] = byte(math.Float32bits(float32(unit*255) + 1<<23))
		}
	})
	return faulty("the autoencoder's decoder", int(bad.Load()), len(sample))
}
