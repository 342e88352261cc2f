package vision

import (
	"bytes"
	"encoding/binary"
	"image"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// chunk is a piece of a RIFF file.
type chunk struct {
	id   string
	data []byte
	cut  bool // the file ends before the chunk does
}

// chunks splits the body of a RIFF structure.
//
// Source: RFC 9649 (WebP), section 2.3.
func chunks(b []byte) []chunk {
	var list []chunk
	for len(b) >= 8 {
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		c := chunk{id: string(b[:4]), cut: n > int64(len(b)-8)}
		c.data = b[8:min(8+n, int64(len(b)))]
		list = append(list, c)
		b = b[min(8+n+n&1, int64(len(b))):]
	}
	return list
}

func riffChunks(data []byte) []chunk {
	if len(data) < 12 {
		return nil
	}
	return chunks(data[12:])
}

func findChunk(list []chunk, id string) []byte {
	for _, c := range list {
		if c.id == id && !c.cut {
			return c.data
		}
	}
	return nil
}

// decodeWebP decodes a still picture, or an animation's first frame on its
// canvas. Alpha is dropped unread, so only the one chunk with the colours matters.
func decodeWebP(data []byte, l Limits) (*Picture, error) {
	list := riffChunks(data)
	for _, c := range list {
		if c.id == "ANMF" {
			return decodeFrame(list, c, l)
		}
		if c.id == "VP8 " || c.id == "VP8L" {
			return decodeVP8(c, l)
		}
	}
	return nil, truncated(formatWebP, "no picture data")
}

// decodeFrame puts an animation's frame on its canvas, which is black.
func decodeFrame(list []chunk, frame chunk, l Limits) (*Picture, error) {
	canvas := findChunk(list, "VP8X")
	if len(canvas) < 10 || len(frame.data) < 16 {
		return nil, truncated(formatWebP, "animation header")
	}
	w, h := uint24(canvas[4:])+1, uint24(canvas[7:])+1
	if err := l.check(formatWebP, w, h); err != nil {
		return nil, err
	}
	x, y := 2*uint24(frame.data), 2*uint24(frame.data[3:])
	for _, c := range chunks(frame.data[16:]) {
		if c.id != "VP8 " && c.id != "VP8L" {
			continue
		}
		c.cut = c.cut || frame.cut
		p, err := decodeVP8(c, l)
		if err != nil {
			return nil, err
		}
		if x+p.W > w || y+p.H > h {
			return nil, corrupt(formatWebP, "frame of %d×%d at %d,%d leaves the canvas of %d×%d", p.W, p.H, x, y, w, h)
		}
		if p.W == w && p.H == h {
			return p, nil
		}
		full := NewPicture(w, h)
		for i := range p.H {
			copy(full.Row(y + i)[3*x:], p.Row(i))
		}
		return full, nil
	}
	return nil, truncated(formatWebP, "no picture data in the first frame")
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// decodeVP8 decodes a lossy or lossless bitstream.
func decodeVP8(c chunk, l Limits) (*Picture, error) {
	if c.cut {
		return nil, truncated(formatWebP, "%s chunk", c.id)
	}
	if c.id == "VP8L" {
		return decodeWith(c.data, formatWebP, l, vp8l.DecodeConfig, vp8l.Decode)
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(c.data), len(c.data))
	head, err := d.DecodeFrameHeader()
	if err != nil {
		return nil, decoderError(formatWebP, err)
	}
	if err := l.check(formatWebP, head.Width, head.Height); err != nil {
		return nil, err
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return nil, decoderError(formatWebP, err)
	}
	p := NewPicture(head.Width, head.Height)
	webpUpsample(p, m)
	return p, nil
}

// webpRGB converts as libwebp does: BT.601 in studio range, 14-bit fixed point.
// The standard library's YCbCr is full range, which would brighten blacks to 16.
//
// Source: libwebp, src/dsp/yuv.h, VP8YUVToR, G, B.
func webpRGB(out []byte, y, u, v int32) {
	l := y * 19077 >> 8
	out[0] = clamp((l + v*26149>>8 - 14234) >> 6)
	out[1] = clamp((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
	out[2] = clamp((l + u*33050>>8 - 17685) >> 6)
}

// webpUpsample fills p from 4:2:0 planes with libwebp's "fancy" filter: 9, 3, 3,
// 1 sixteenths of the four nearest chroma samples, rounded in its own way.
//
// Source: libwebp, src/dsp/upsampling.c, UPSAMPLE_FUNC.
func webpUpsample(p *Picture, m *image.YCbCr) {
	cw, ch := (p.W+1)/2, (p.H+1)/2
	for y := range p.H {
		cy := y / 2
		far := min(max(cy+2*(y&1)-1, 0), ch-1)
		u, uFar := m.Cb[cy*m.CStride:][:cw], m.Cb[far*m.CStride:][:cw]
		v, vFar := m.Cr[cy*m.CStride:][:cw], m.Cr[far*m.CStride:][:cw]
		luma := m.Y[y*m.YStride:][:p.W]
		out := p.Row(y)
		for x, l := range luma {
			cx := x / 2
			side := min(max(cx+2*(x&1)-1, 0), cw-1)
			webpRGB(out[3*x:3*x+3:3*x+3], int32(l),
				webpChroma(u[cx], u[side], uFar[cx], uFar[side]),
				webpChroma(v[cx], v[side], vFar[cx], vFar[side]))
		}
	}
}

// webpChroma weighs the nearest sample, its neighbours beside and above or
// below, and the diagonal one.
func webpChroma(near, beside, above, diagonal byte) int32 {
	n, b, a, d := int32(near), int32(beside), int32(above), int32(diagonal)
	mixed := (n + b + a + d + 8 + 2*(b+a)) >> 3
	return (mixed + n) >> 1
}
