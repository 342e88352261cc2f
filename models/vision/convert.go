package vision

import (
	"image"
	"image/color"
)

// convert turns what a decoder returned into RGB, as Pillow's convert("RGB")
// does for the mode Pillow would have read the file in.
func convert(m image.Image, format string, data []byte) (*Picture, error) {
	b := m.Bounds()
	p := NewPicture(b.Dx(), b.Dy())
	switch m := m.(type) {
	case *image.Gray:
		rows(p, m.Pix, m.Stride, 1, func(out, in []byte) { out[0], out[1], out[2] = in[0], in[0], in[0] })
	case *image.Gray16:
		rows(p, m.Pix, m.Stride, 2, grey16)
	case *image.NRGBA:
		rows(p, m.Pix, m.Stride, 4, func(out, in []byte) { out[0], out[1], out[2] = in[0], in[1], in[2] })
	case *image.RGBA:
		rows(p, m.Pix, m.Stride, 4, func(out, in []byte) { unmultiply(out, in[0], in[1], in[2], in[3]) })
	case *image.NRGBA64:
		f := func(out, in []byte) { out[0], out[1], out[2] = in[0], in[2], in[4] }
		// A grey 16-bit PNG with a transparent level comes as colour.
		if format == formatPNG && data[24] == 16 && data[25] == 0 {
			f = grey16
		}
		rows(p, m.Pix, m.Stride, 8, f)
	case *image.RGBA64:
		rows(p, m.Pix, m.Stride, 8, func(out, in []byte) { unmultiply(out, in[0], in[2], in[4], in[6]) })
	case *image.CMYK:
		rows(p, m.Pix, m.Stride, 4, cmyk)
	case *image.Paletted:
		colors := make([][3]byte, 256)
		for i, c := range m.Palette {
			// Opaque and transparent entries alike keep their colour.
			n := color.NRGBAModel.Convert(c).(color.NRGBA)
			colors[i&255] = [3]byte{n.R, n.G, n.B}
		}
		rows(p, m.Pix, m.Stride, 1, func(out, in []byte) {
			c := &colors[in[0]]
			out[0], out[1], out[2] = c[0], c[1], c[2]
		})
	default:
		return nil, &Error{Kind: Unsupported, Format: format, Detail: "this colour model"}
	}
	return p, nil
}

// rows calls f for each pixel: out has 3 bytes, in has size.
func rows(p *Picture, pix []byte, stride, size int, f func(out, in []byte)) {
	for y := range p.H {
		in := pix[y*stride:]
		out := p.Row(y)
		for x := range p.W {
			f(out[3*x:3*x+3:3*x+3], in[x*size:x*size+size:x*size+size])
		}
	}
}

// grey16 is Pillow's conversion of mode "I;16": what does not fit is white.
// Source: Pillow, src/libImaging/Convert.c, I16_RGB.
func grey16(out, in []byte) {
	v := in[1]
	if in[0] != 0 {
		v = 255
	}
	out[0], out[1], out[2] = v, v, v
}

// unmultiply undoes premultiplied alpha.
// Source: Pillow, src/libImaging/Unpack.c, unpackRGBa.
func unmultiply(out []byte, r, g, b, a byte) {
	switch a {
	case 255:
		out[0], out[1], out[2] = r, g, b
	case 0:
		out[0], out[1], out[2] = 0, 0, 0
	default:
		for i, v := range [3]byte{r, g, b} {
			out[i] = byte(min(255*int(v)/int(a), 255))
		}
	}
}

// cmyk converts with ink 255 = full.
// Source: Pillow, src/libImaging/Convert.c, cmyk2rgb.
func cmyk(out, in []byte) {
	rest := 255 - int(in[3])
	for i := range 3 {
		t := int(in[i])*rest + 128
		out[i] = byte(max(rest-(t>>8+t)>>8, 0))
	}
}
