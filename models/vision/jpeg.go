package vision

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// This decoder exists because features must not depend on the language: the
// standard library's inverse transform differs from libjpeg's in 3 % of the
// samples of a photograph by up to 3 levels, and it hides the coefficients.
// This one gives libjpeg-turbo's bytes, and reads CMYK without Adobe's marker.
//
// Sources: ITU-T T.81 (the format); libjpeg-turbo 3 for what T.81 leaves open:
// jidctint.c (transform), jdsample.c (chroma), jdcolor.c (colour), jdapimin.c
// (which colour space).

// maxScans bounds a progressive file's passes over the picture: a small file
// can ask for millions. Encoders write 10; libjpeg-turbo's fuzzers stop at 500.
const maxScans = 200

// component is one colour channel.
type component struct {
	id     byte
	h, v   int // sampling factors
	quant  byte
	w, hgt int // samples
	// Blocks across and down: those that hold samples, and those stored, which
	// fill whole MCUs.
	blocksW, blocksH int
	strideB, storedB int
	pix              []byte  // stride strideB*8
	coef             []int16 // progressive: 64 for each stored block
	dcTable, acTable byte
	pred             int32
	scanned          bool
}

type jpegDecoder struct {
	bits
	limits      Limits
	w, h        int
	progressive bool
	comps       []component
	hMax, vMax  int
	mcusX       int
	mcusY       int
	quant       [4][64]int32 // natural order
	hasQuant    [4]bool
	huff        [2][4]*huffman // DC, AC
	restart     int
	scans       int
	eobRun      int
	jfif        bool
	adobe       int // Adobe's transform, -1 without the marker
}

func decodeJPEG(data []byte, l Limits) (*Picture, error) {
	d := jpegDecoder{bits: bits{data: data, pos: 2}, limits: l, adobe: -1}
	err := d.markers()
	if err != nil {
		var typed *Error
		if errors.As(err, &typed) {
			return nil, typed
		}
		return nil, corrupt(formatJPEG, "%v, at byte %d", err, d.pos)
	}
	return d.picture()
}

// markers reads the file up to its end-of-image marker.
func (d *jpegDecoder) markers() error {
	for {
		marker, ok := d.nextMarker()
		if !ok {
			// Nothing is missing when a sequential picture lacks only its end.
			if !d.progressive && d.complete() {
				return nil
			}
			return truncated(formatJPEG, "no end-of-image marker")
		}
		if marker == 0xD9 {
			if !d.complete() {
				return truncated(formatJPEG, "it ends before the picture does")
			}
			return nil
		}
		if marker == 0x01 || marker >= 0xD0 && marker <= 0xD8 {
			continue
		}
		if len(d.data)-d.pos < 2 {
			return truncated(formatJPEG, "marker %02X", marker)
		}
		n := int(binary.BigEndian.Uint16(d.data[d.pos:]))
		if n < 2 {
			return fmt.Errorf("marker %02X of length %d", marker, n)
		}
		if len(d.data)-d.pos < n {
			return truncated(formatJPEG, "marker %02X", marker)
		}
		body := d.data[d.pos+2 : d.pos+n]
		d.pos += n
		if err := d.segment(marker, body); err != nil {
			return err
		}
	}
}

// nextMarker moves past the next marker, skipping anything before it as
// libjpeg does.
func (d *jpegDecoder) nextMarker() (byte, bool) {
	for d.pos+1 < len(d.data) {
		if d.data[d.pos] == 0xFF && d.data[d.pos+1] != 0 && d.data[d.pos+1] != 0xFF {
			d.pos += 2
			return d.data[d.pos-1], true
		}
		d.pos++
	}
	return 0, false
}

func (d *jpegDecoder) segment(marker byte, body []byte) error {
	switch marker {
	case 0xC0, 0xC1, 0xC2:
		d.progressive = marker == 0xC2
		return d.frame(body)
	case 0xC4:
		return d.defineHuffman(body)
	case 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF:
		return &Error{Kind: Unsupported, Format: formatJPEG, Detail: "lossless, hierarchical or arithmetic coding"}
	case 0xDA:
		return d.scan(body)
	case 0xDB:
		return d.defineQuant(body)
	case 0xDD:
		if len(body) != 2 {
			return errors.New("restart interval of wrong length")
		}
		d.restart = int(binary.BigEndian.Uint16(body))
	case 0xE0:
		d.jfif = d.jfif || len(body) >= 5 && string(body[:5]) == "JFIF\x00"
	case 0xEE:
		if len(body) >= 12 && string(body[:5]) == "Adobe" {
			d.adobe = int(body[11])
		}
	}
	return nil
}

// complete reports whether every component has been decoded.
func (d *jpegDecoder) complete() bool {
	for i := range d.comps {
		if !d.comps[i].scanned {
			return false
		}
	}
	return len(d.comps) > 0
}

func (d *jpegDecoder) defineQuant(b []byte) error {
	for len(b) > 0 {
		size, at := 1+int(b[0]>>4), b[0]&15
		if size > 2 || at > 3 || len(b) < 1+64*size {
			return errors.New("bad quantisation table")
		}
		b = b[1:]
		for _, z := range zigzag {
			d.quant[at][z] = int32(b[0])
			if size == 2 {
				d.quant[at][z] = int32(b[0])<<8 | int32(b[1])
			}
			b = b[size:]
		}
		d.hasQuant[at] = true
	}
	return nil
}

// frame reads the size and the components, and reserves the planes.
func (d *jpegDecoder) frame(b []byte) error {
	if d.comps != nil {
		return errors.New("two frame headers")
	}
	if len(b) < 6 || len(b) != 6+3*int(b[5]) {
		return errors.New("frame header of wrong length")
	}
	if b[0] != 8 {
		return &Error{Kind: Unsupported, Format: formatJPEG, Detail: fmt.Sprintf("%d bits per sample", b[0])}
	}
	d.h, d.w = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if err := d.limits.check(formatJPEG, d.w, d.h); err != nil {
		return err
	}
	n := int(b[5])
	if n != 1 && n != 3 && n != 4 {
		return &Error{Kind: Unsupported, Format: formatJPEG, Detail: fmt.Sprintf("%d colour components", n)}
	}
	comps := make([]component, n)
	d.hMax, d.vMax = 1, 1
	for i := range comps {
		c, s := &comps[i], b[6+3*i:]
		c.id, c.h, c.v, c.quant = s[0], int(s[1]>>4), int(s[1]&15), s[2]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quant > 3 {
			return fmt.Errorf("component %d: sampling %d×%d, table %d", i, c.h, c.v, c.quant)
		}
		if n == 1 {
			c.h, c.v = 1, 1 // T.81 A.2.2: a single component is never interleaved
		}
		d.hMax, d.vMax = max(d.hMax, c.h), max(d.vMax, c.v)
	}
	d.mcusX, d.mcusY = ceilDiv(d.w, 8*d.hMax), ceilDiv(d.h, 8*d.vMax)
	for i := range comps {
		c := &comps[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return &Error{Kind: Unsupported, Format: formatJPEG, Detail: "fractional chroma sampling"}
		}
		c.w, c.hgt = ceilDiv(d.w*c.h, d.hMax), ceilDiv(d.h*c.v, d.vMax)
		c.blocksW, c.blocksH = ceilDiv(c.w, 8), ceilDiv(c.hgt, 8)
		c.strideB, c.storedB = d.mcusX*c.h, d.mcusX*c.h*d.mcusY*c.v
		c.pix = make([]byte, c.storedB*64)
		if d.progressive {
			c.coef = make([]int16, c.storedB*64)
		}
	}
	d.comps = comps
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// picture transforms what is still coefficients, widens the chroma and converts.
func (d *jpegDecoder) picture() (*Picture, error) {
	if d.progressive {
		for i := range d.comps {
			c := &d.comps[i]
			if !d.hasQuant[c.quant] {
				return nil, corrupt(formatJPEG, "no quantisation table %d", c.quant)
			}
			var block [64]int32
			for k := range c.storedB {
				for j, v := range c.coef[64*k : 64*k+64] {
					block[j] = int32(v)
				}
				c.transform(k, &block, &d.quant[c.quant])
			}
			c.coef = nil
		}
	}
	p := NewPicture(d.w, d.h)
	rowsOf := make([][]byte, len(d.comps))
	planes := make([]*sampled, len(d.comps))
	for i := range d.comps {
		c := &d.comps[i]
		planes[i] = newSampled(c.pix, 8*c.strideB, c.w, c.hgt, d.hMax/c.h, d.vMax/c.v)
	}
	write := d.colors()
	for y := range d.h {
		for i, s := range planes {
			rowsOf[i] = s.row(y)[:d.w]
		}
		write(p.Row(y), rowsOf)
	}
	return p, nil
}

// colors returns how rows of the components become a row of RGB.
//
// Source: libjpeg-turbo, jdapimin.c, default_decompress_parms. Four components
// are taken as Adobe writes them, inverted, as Pillow does.
func (d *jpegDecoder) colors() func(out []byte, in [][]byte) {
	switch len(d.comps) {
	case 1:
		return func(out []byte, in [][]byte) {
			for x, v := range in[0] {
				o := out[3*x : 3*x+3 : 3*x+3]
				o[0], o[1], o[2] = v, v, v
			}
		}
	case 4:
		ycck := d.adobe > 0
		return func(out []byte, in [][]byte) {
			if ycck {
				// What the conversion gives is, inverted twice, the ink.
				yccToRGB(out, in[0], in[1], in[2])
			}
			for x, k := range in[3] {
				o := out[3*x : 3*x+3]
				if !ycck {
					o[0], o[1], o[2] = 255-in[0][x], 255-in[1][x], 255-in[2][x]
				}
				cmyk(o, []byte{o[0], o[1], o[2], 255 - k})
			}
		}
	}
	ids := [3]byte{d.comps[0].id, d.comps[1].id, d.comps[2].id}
	if !d.jfif && (d.adobe == 0 || d.adobe < 0 && ids == [3]byte{'R', 'G', 'B'}) {
		return func(out []byte, in [][]byte) {
			for x := range in[0] {
				out[3*x], out[3*x+1], out[3*x+2] = in[0][x], in[1][x], in[2][x]
			}
		}
	}
	return func(out []byte, in [][]byte) { yccToRGB(out, in[0], in[1], in[2]) }
}
