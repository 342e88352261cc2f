package vision

import "image"

// jpegRGB writes one pixel by JFIF's conversion in the fixed point of libjpeg's tables.
//
// Source: libjpeg-turbo, jdcolor.c: FIX(1.40200), FIX(1.77200), FIX(0.34414),
// FIX(0.71414) with 16 fraction bits.
func jpegRGB(out []byte, y, cb, cr byte) {
	l, b, r := int32(y), int32(cb)-128, int32(cr)-128
	out[0] = clamp(l + (91881*r+1<<15)>>16)
	out[1] = clamp(l + (-22554*b-46802*r+1<<15)>>16)
	out[2] = clamp(l + (116130*b+1<<15)>>16)
}

func clamp(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// upsample fills p from planes whose chroma may be coarser, by libjpeg's "fancy"
// triangle filter: chroma samples lie between the luma samples they cover, and
// each pixel takes 3/4 of the nearer and 1/4 of the farther, per axis. The
// standard library repeats the nearest instead, which on photographs with
// 4:2:0 chroma is off by up to 60 levels.
//
// Source: libjpeg-turbo, jdsample.c: h2v1, h1v2 and h2v2 fancy_upsample.
func upsample(p *Picture, m *image.YCbCr) {
	sx, sy := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		sx = 2
	case image.YCbCrSubsampleRatio420:
		sx, sy = 2, 2
	case image.YCbCrSubsampleRatio440:
		sy = 2
	case image.YCbCrSubsampleRatio411:
		sx = 4
	case image.YCbCrSubsampleRatio410:
		sx, sy = 4, 2
	}
	cw, ch := (p.W+sx-1)/sx, (p.H+sy-1)/sy
	// libjpeg's rule for when the triangle filter applies.
	fancy := sx == 2 && cw > 2 || sx == 1
	up := [2][]byte{make([]byte, cw*sx), make([]byte, cw*sx)}
	sums := make([]int32, cw)
	for y := range p.H {
		cy := y / sy
		near := cy
		if sy == 2 && fancy {
			// Towards the neighbour on the other side of the pixel's half.
			near = min(max(cy+2*(y&1)-1, 0), ch-1)
		}
		for k, plane := range [2][]byte{m.Cb, m.Cr} {
			a := plane[cy*m.CStride:][:cw]
			b := plane[near*m.CStride:][:cw]
			switch {
			case !fancy || sx == 4:
				for x := range up[k] {
					up[k][x] = a[x/sx]
				}
			case sx == 1 && sy == 1:
				copy(up[k], a)
			case sx == 1:
				bias := int32(1 + y&1)
				for x := range a {
					up[k][x] = byte((3*int32(a[x]) + int32(b[x]) + bias) >> 2)
				}
			case sy == 1:
				wide2(up[k], a)
			default:
				for x := range sums {
					sums[x] = 3*int32(a[x]) + int32(b[x])
				}
				wide4(up[k], sums)
			}
		}
		luma := m.Y[y*m.YStride:][:p.W]
		cb, cr := up[0][:len(luma)], up[1][:len(luma)]
		out := p.Row(y)
		for x, l := range luma {
			jpegRGB(out[3*x:3*x+3:3*x+3], l, cb[x], cr[x])
		}
	}
}

// wide2 doubles a row: 3/4 near + 1/4 far, rounded down and up in turn.
func wide2(out, in []byte) {
	n := len(in)
	for x, v := range in {
		left, right := in[max(x-1, 0)], in[min(x+1, n-1)]
		out[2*x] = byte((3*int32(v) + int32(left) + 1) >> 2)
		out[2*x+1] = byte((3*int32(v) + int32(right) + 2) >> 2)
	}
}

// wide4 doubles a row of column sums, which count 4 already.
func wide4(out []byte, in []int32) {
	n := len(in)
	for x, v := range in {
		left, right := in[max(x-1, 0)], in[min(x+1, n-1)]
		out[2*x] = byte((3*v + left + 8) >> 4)
		out[2*x+1] = byte((3*v + right + 7) >> 4)
	}
}
