package vision

import (
	"fmt"
	"math"
)

func roundHalfEven(x float64) int { return int(math.RoundToEven(x)) }

// table maps a sample of a channel to its normalised value.
//
// Rounded where Hugging Face rounds: to float32 after rescaling and after each
// step of the normalisation. Source: transformers image_transforms.py.
func (c *Config) table() (t [3][256]float32) {
	for ch := range t {
		mean, std := float32(c.Mean[ch]), float32(c.Std[ch])
		for v := range t[ch] {
			x := float32(float64(v) * c.Rescale)
			if c.Normalize {
				x = float32(x-mean) / std
			}
			t[ch][v] = x
		}
	}
	return t
}

// OutputSize returns the size of the tensor that [Config.Tensor] makes of a
// w×h picture.
func (c *Config) OutputSize(w, h int) (int, int) {
	if c.Crop {
		return c.CropW, c.CropH
	}
	return c.ResizedSize(w, h)
}

// Tensor writes p resized, cropped and normalised.
//
// Shapes: dst [1,H,W,3] with H, W from [Config.OutputSize]. Errors: a dst of
// another length, or a size past 16384 a side. Allocs: the resized part of the
// picture.
func (c *Config) Tensor(dst []float32, p *Picture, par Parallel) error {
	w, h := c.OutputSize(p.W, p.H)
	if w > maxSide || h > maxSide {
		return fmt.Errorf("preprocessing a %d×%d picture gives %d×%d, past %d a side", p.W, p.H, w, h, maxSide)
	}
	if len(dst) != w*h*3 {
		return fmt.Errorf("preprocessing a %d×%d picture needs %d×%d×3 values, got %d", p.W, p.H, h, w, len(dst))
	}
	t := c.table()
	c.write(dst, w, c.Pixels(p, par), &t, par)
	return nil
}

// Pixels returns p resized and cropped, still as bytes.
func (c *Config) Pixels(p *Picture, par Parallel) *Picture {
	w, h := c.ResizedSize(p.W, p.H)
	win := window{0, 0, w, h}
	if c.Crop {
		win = window{c.offset(w, c.CropW), c.offset(h, c.CropH), c.CropW, c.CropH}
	}
	// What lies inside the resized picture; the rest of a crop stays black.
	inner := window{max(win.x, 0), max(win.y, 0), 0, 0}
	inner.w, inner.h = min(win.x+win.w, w)-inner.x, min(win.y+win.h, h)-inner.y
	out := p.part(w, h, inner, c.Filter, par)
	if inner == win {
		return out
	}
	padded := NewPicture(win.w, win.h)
	for y := range inner.h {
		copy(padded.Row(y + inner.y - win.y)[(inner.x-win.x)*3:], out.Row(y))
	}
	return padded
}

// part is a window of p at w×h.
func (p *Picture) part(w, h int, win window, f Filter, par Parallel) *Picture {
	if w == p.W && h == p.H {
		return p.crop(win)
	}
	return p.resizeWindow(w, h, win, f, par)
}

// offset returns where a crop of n begins on an axis of size; negative where
// the picture is smaller and gets a border.
//
// Source: transformers image_transforms.py, center_crop; torchvision
// functional.py, center_crop.
func (c *Config) offset(size, n int) int {
	if n > size {
		return -((n - size + 1) / 2)
	}
	if c.RoundedCrop {
		return roundHalfEven(float64(size-n) / 2)
	}
	return (size - n) / 2
}

// write normalises p into the upper left of dst, whose rows hold stride pixels.
func (c *Config) write(dst []float32, stride int, p *Picture, t *[3][256]float32, par Parallel) {
	par.run(p.H, func(lo, hi int) {
		for y := lo; y < hi; y++ {
			in := p.Row(y)
			out := dst[y*stride*3:]
			out = out[:len(in)]
			for i := 0; i+2 < len(in); i += 3 {
				out[i] = t[0][in[i]]
				out[i+1] = t[1][in[i+1]]
				out[i+2] = t[2][in[i+2]]
			}
		}
	})
}

// BatchSize returns the height and width that hold every picture of a batch
// after preprocessing: the largest of each, or the config's pad size.
func (c *Config) BatchSize(pictures []*Picture) (w, h int) {
	for _, p := range pictures {
		pw, ph := c.OutputSize(p.W, p.H)
		w, h = max(w, pw), max(h, ph)
	}
	if c.PadH > 0 && c.PadW > 0 {
		return c.PadW, c.PadH
	}
	return w, h
}

// Batch writes several pictures, each in the upper left of its place, and marks
// where they are.
//
// Shapes: dst [N,H,W,3], mask [N,H,W] (1 on the picture, 0 on padding; dst is 0
// there), H and W from [Config.BatchSize]. Errors: wrong lengths, or a picture
// larger than the config's pad size.
func (c *Config) Batch(dst []float32, mask []uint8, pictures []*Picture, par Parallel) error {
	w, h := c.BatchSize(pictures)
	if w > maxSide || h > maxSide {
		return fmt.Errorf("preprocessing: a batch of %d×%d is past %d a side", w, h, maxSide)
	}
	if n := len(pictures) * w * h; len(dst) != n*3 || len(mask) != n {
		return fmt.Errorf("preprocessing %d pictures of %d×%d: got %d values and a mask of %d", len(pictures), h, w, len(dst), len(mask))
	}
	for i, p := range pictures {
		if pw, ph := c.OutputSize(p.W, p.H); pw > w || ph > h {
			return fmt.Errorf("preprocessing: picture %d is %d×%d after resizing, larger than pad_size %d×%d", i, pw, ph, w, h)
		}
	}
	t := c.table()
	clear(dst)
	clear(mask)
	for i, p := range pictures {
		px := c.Pixels(p, par)
		c.write(dst[i*w*h*3:], w, px, &t, par)
		for y := range px.H {
			row := mask[(i*h+y)*w:]
			for x := range px.W {
				row[x] = 1
			}
		}
	}
	return nil
}
