package sd

import (
	"context"
	"errors"
	"math"

	"syntic/models/vision"
)

// Pictures decodes the latents.
//
// Errors: ctx's; pixels that aren't finite.
func (d *Drawing) Pictures(ctx context.Context) ([]*vision.Picture, error) {
	decode := d.p.VAE.Decode
	if d.Tiles {
		decode = d.p.VAE.DecodeTiles
	}
	if err := d.p.release(d.p.UNet); err != nil {
		return nil, err
	}
	list, err := d.decode(ctx, d.x, d.h, d.w, decode)
	return list, errors.Join(err, d.p.release(d.p.VAE))
}

// previewCells bounds the sides of a preview's latents: it takes a small part of
// a step.
const previewCells = 16

// Preview decodes what the last step's prediction would make of the latents, in
// small.
func (d *Drawing) Preview(ctx context.Context) ([]*vision.Picture, error) {
	x := make([]float32, len(d.x))
	copy(x, d.x)
	if d.at < d.Steps() && d.at > 0 {
		d.sched.Denoised(x, d.last, d.eps[:len(d.x)], d.at-1)
	}
	by := (max(d.h, d.w) + previewCells - 1) / previewCells
	small, h, w := shrink(x, d.n, d.h, d.w, d.p.UNet.cfg.In, by)
	return d.decode(ctx, small, h, w, d.p.VAE.Decode)
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

// decode makes pictures of scaled latents, one at a time: a batch would take
// its number of times the memory and gain nothing.
func (d *Drawing) decode(ctx context.Context, x []float32, h, w int, decode func(ctx context.Context, dst, z []float32, batch, h, w int) error) ([]*vision.Picture, error) {
	v := d.p.VAE
	f, part := v.Factor(), len(x)/d.n
	z, sample := make([]float32, part), make([]float32, h*f*w*f*3)
	out := make([]*vision.Picture, d.n)
	for i := range out {
		for k, value := range x[i*part : (i+1)*part] {
			z[k] = float32(float64(value)/v.cfg.Scale + v.cfg.Shift)
		}
		if err := decode(ctx, sample, z, 1, h, w); err != nil {
			return nil, err
		}
		if err := finite("the autoencoder's decoder", sample); err != nil {
			return nil, err
		}
		out[i] = vision.NewPicture(w*f, h*f)
		for k, value := range sample {
			unit := min(max(value/2+0.5, 0), 1)
			// From 2²³ on a float32 holds whole numbers: the sum rounds to the nearest level,
			// which is its lowest byte.
			out[i].Pix[k] = byte(math.Float32bits(float32(unit*255) + 1<<23))
		}
	}
	return out, nil
}
