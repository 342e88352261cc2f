package vision

import (
	"bytes"
	"encoding/binary"
)

// orientation returns EXIF's orientation of a file, 1 to 8; 1 where there is none.
func orientation(data []byte, format string) int {
	switch format {
	case formatJPEG:
		return exifOrientation(jpegEXIF(data))
	case formatPNG:
		return exifOrientation(pngEXIF(data))
	case formatWebP:
		if c := findChunk(riffChunks(data), "EXIF"); c != nil {
			return exifOrientation(bytes.TrimPrefix(c, []byte("Exif\x00\x00")))
		}
	case formatTIFF:
		return exifOrientation(data)
	}
	return 1
}

// jpegEXIF returns the EXIF block of a JPEG's APP1, or nil.
//
// Source: ITU-T T.81 B.1.1.3 (markers); CIPA DC-008 4.7.2 (APP1).
func jpegEXIF(data []byte) []byte {
	for i := 2; i+4 <= len(data) && data[i] == 0xFF; {
		marker := data[i+1]
		if marker == 0xFF { // fill byte
			i++
			continue
		}
		if marker == 0xDA || marker == 0xD9 {
			break
		}
		n := int(binary.BigEndian.Uint16(data[i+2:]))
		if n < 2 || i+2+n > len(data) {
			break
		}
		if body, ok := bytes.CutPrefix(data[i+4:i+2+n], []byte("Exif\x00\x00")); ok && marker == 0xE1 {
			return body
		}
		i += 2 + n
	}
	return nil
}

// pngEXIF returns the eXIf chunk of a PNG, or nil.
func pngEXIF(data []byte) []byte {
	for i := 8; i+12 <= len(data); {
		n := int64(binary.BigEndian.Uint32(data[i:]))
		end := int64(i) + 8 + n
		if end+4 > int64(len(data)) {
			break
		}
		if string(data[i+4:i+8]) == "eXIf" {
			return data[i+8 : end]
		}
		i = int(end) + 4
	}
	return nil
}

// exifOrientation reads tag 274 of the first directory of a TIFF structure.
//
// Source: TIFF 6.0, section 2 and tag Orientation.
func exifOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	n := int64(order.Uint16(b[at:]))
	for i := range n {
		entry := at + 2 + 12*i
		if entry+12 > int64(len(b)) {
			break
		}
		e := b[entry:]
		const tagOrientation, typeShort = 274, 3
		if order.Uint16(e) == tagOrientation && order.Uint16(e[2:]) == typeShort {
			if o := int(order.Uint16(e[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
	}
	return 1
}

// orient returns p turned and mirrored from the way the camera stored it to
// the way it is meant to be seen.
//
// Source: CIPA DC-008, tag Orientation.
func (p *Picture) orient(o int) *Picture {
	if o == 1 {
		return p
	}
	w, h := p.W, p.H
	dst := NewPicture(w, h)
	if o >= 5 {
		dst = NewPicture(h, w)
	}
	for y := range dst.H {
		// Where row y begins in p, and how far apart its pixels lie.
		var x0, y0, step int
		switch o {
		case 2:
			x0, y0, step = w-1, y, -1
		case 3:
			x0, y0, step = w-1, h-1-y, -1
		case 4:
			x0, y0, step = 0, h-1-y, 1
		case 5:
			x0, y0, step = y, 0, w
		case 6:
			x0, y0, step = y, h-1, -w
		case 7:
			x0, y0, step = w-1-y, h-1, -w
		case 8:
			x0, y0, step = w-1-y, 0, w
		}
		from := 3 * (y0*w + x0)
		out := dst.Row(y)
		for i := 0; i < len(out); i += 3 {
			copy(out[i:i+3], p.Pix[from:from+3])
			from += 3 * step
		}
	}
	return dst
}
