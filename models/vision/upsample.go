package vision

// yccToRGB writes a row by JFIF's conversion, in the fixed point of libjpeg's
// tables.
//
// Source: libjpeg-turbo, jdcolor.c: FIX(1.40200), FIX(1.77200), FIX(0.34414),
// FIX(0.71414) with 16 fraction bits.
func yccToRGB(out, luma, cbs, crs []byte) {
	cbs, crs = cbs[:len(luma)], crs[:len(luma)]
	for x, y := range luma {
		l, b, r := int32(y), int32(cbs[x])-128, int32(crs[x])-128
		o := out[3*x : 3*x+3 : 3*x+3]
		o[0] = clamp(l + (91881*r+1<<15)>>16)
		o[1] = clamp(l + (-22554*b-46802*r+1<<15)>>16)
		o[2] = clamp(l + (116130*b+1<<15)>>16)
	}
}

func clamp(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// sampled is a plane that is coarser than the picture by fx and fy.
//
// Factors of 2 are widened by libjpeg's "fancy" triangle filter: a chroma
// sample lies between the pixels it covers, and each pixel takes 3/4 of the
// nearer and 1/4 of the farther, per axis. Repeating the nearest instead, as the
// standard library does, shows at every coloured edge.
//
// Source: libjpeg-turbo, jdsample.c, jinit_upsampler and the functions it picks.
type sampled struct {
	pix          []byte
	stride, w, h int
	fx, fy       int
	fancy        bool
	out          []byte
	sums         []int32
}

func newSampled(pix []byte, stride, w, h, fx, fy int) *sampled {
	s := &sampled{pix: pix, stride: stride, w: w, h: h, fx: fx, fy: fy}
	s.fancy = fx == 2 && fy <= 2 && w > 2 || fx == 1 && fy == 2
	if fx > 1 || fy > 1 {
		s.out, s.sums = make([]byte, w*fx), make([]int32, w)
	}
	return s
}

// row returns row y at the picture's resolution, at least as wide as it. It is
// valid until the next call.
func (s *sampled) row(y int) []byte {
	cy := y / s.fy
	a := s.pix[cy*s.stride:][:s.w]
	if s.fx == 1 && s.fy == 1 {
		return a
	}
	if !s.fancy {
		for x, v := range a {
			for i := range s.fx {
				s.out[x*s.fx+i] = v
			}
		}
		return s.out
	}
	if s.fy == 1 {
		n := len(a)
		for x, v := range a {
			left, right := a[max(x-1, 0)], a[min(x+1, n-1)]
			s.out[2*x] = byte((3*int32(v) + int32(left) + 1) >> 2)
			s.out[2*x+1] = byte((3*int32(v) + int32(right) + 2) >> 2)
		}
		return s.out
	}
	// The row on the other side of the pixel's half.
	b := s.pix[min(max(cy+2*(y&1)-1, 0), s.h-1)*s.stride:][:s.w]
	if s.fx == 1 {
		bias := int32(1 + y&1)
		for x, v := range a {
			s.out[x] = byte((3*int32(v) + int32(b[x]) + bias) >> 2)
		}
		return s.out
	}
	sums := s.sums
	for x, v := range a {
		sums[x] = 3*int32(v) + int32(b[x])
	}
	n := len(sums)
	out := s.out[:2*n]
	out[0] = byte((4*sums[0] + 8) >> 4)
	for x := 1; x < n; x++ {
		l, r := sums[x-1], sums[x]
		out[2*x-1] = byte((3*l + r + 7) >> 4)
		out[2*x] = byte((3*r + l + 8) >> 4)
	}
	out[2*n-1] = byte((4*sums[n-1] + 7) >> 4)
	return out
}
