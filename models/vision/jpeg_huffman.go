package vision

import "errors"

var errCode = errors.New("bad Huffman code")

// bits reads an entropy-coded segment. At a marker it stays and delivers
// zeros, which overrun tells from data.
type bits struct {
	data []byte
	pos  int
	acc  uint64 // the next bits, left-aligned at bit 63
	n    int    // how many of them are valid
	pad  int    // how many of those are zeros after the segment's end
}

// fill makes at least 48 bits valid.
func (b *bits) fill() {
	for b.n <= 56 {
		if b.pos < len(b.data) && b.data[b.pos] != 0xFF {
			b.acc |= uint64(b.data[b.pos]) << (56 - b.n)
			b.pos++
		} else if b.pos+1 < len(b.data) && b.data[b.pos+1] == 0 {
			b.acc |= 0xFF << (56 - b.n)
			b.pos += 2
		} else {
			b.pad += 8
		}
		b.n += 8
	}
}

// reset forgets buffered bits; the next marker is at pos or later.
func (b *bits) reset() { b.acc, b.n, b.pad = 0, 0, 0 }

// overrun reports whether bits after the segment's end have been used.
func (b *bits) overrun() bool { return b.n < b.pad }

// take returns the next k bits, k <= 16.
func (b *bits) take(k int) int32 {
	if b.n < k {
		b.fill()
	}
	v := int32(b.acc >> 1 >> (63 - k))
	b.acc <<= k
	b.n -= k
	return v
}

// signed returns a k-bit number of T.81's kind: a clear first bit means negative.
func (b *bits) signed(k int) int32 {
	if k == 0 {
		return 0
	}
	v := b.take(k)
	if v < 1<<(k-1) {
		v += -1<<k + 1
	}
	return v
}

// lookBits is the length of codes that one table access decodes.
const lookBits = 9

type huffman struct {
	look   [1 << lookBits]uint16 // length<<8 | value; 0: longer code
	limit  [18]int32             // codes of each length are below limit, left-aligned to 16 bits
	offset [17]int32
	values [256]byte
}

// defineHuffman reads a DHT segment.
//
// Source: T.81 annex C and F.2.2.3.
func (d *jpegDecoder) defineHuffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return errors.New("bad Huffman table")
		}
		kind, at := b[0]>>4, b[0]&15
		h := &huffman{}
		total, code := 0, int32(0)
		for length := 1; length <= 16; length++ {
			count := int(b[length])
			if total+count > 256 || code+int32(count) > 1<<length || len(b) < 17+total+count {
				return errors.New("bad Huffman table")
			}
			h.offset[length] = int32(total) - code
			for range count {
				value := b[17+total]
				h.values[total] = value
				if length <= lookBits {
					first := int(code) << (lookBits - length)
					for i := range 1 << (lookBits - length) {
						h.look[first+i] = uint16(length)<<8 | uint16(value)
					}
				}
				total++
				code++
			}
			h.limit[length] = code << (16 - length)
			code <<= 1
		}
		d.huff[kind][at] = h
		b = b[17+total:]
	}
	return nil
}

// symbol decodes one value.
func (b *bits) symbol(h *huffman) (byte, error) {
	if b.n < 16 {
		b.fill()
	}
	if e := h.look[b.acc>>(64-lookBits)]; e != 0 {
		length := int(e >> 8)
		b.acc <<= length
		b.n -= length
		return byte(e), nil
	}
	top := int32(b.acc >> 48)
	for length := lookBits + 1; length <= 16; length++ {
		if top < h.limit[length] {
			b.acc <<= length
			b.n -= length
			return h.values[(top>>(16-length)+h.offset[length])&255], nil
		}
	}
	return 0, errCode
}
