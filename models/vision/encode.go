package vision

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/HugoSmits86/nativewebp"
)

// jpegQuality is that of pictures written without another word about it.
const jpegQuality = 95

// Endings are the file names' endings that Encode knows.
func Endings() []string { return []string{".png", ".jpg", ".jpeg", ".webp"} }

// Image returns p as the standard library's type, in memory of its own.
func (p *Picture) Image() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, p.W, p.H))
	for i, j := 0, 0; i+2 < len(p.Pix); i, j = i+3, j+4 {
		o := m.Pix[j : j+4 : j+4]
		o[0], o[1], o[2], o[3] = p.Pix[i], p.Pix[i+1], p.Pix[i+2], 255
	}
	return m
}

// Encode writes p as PNG, JPEG of quality 95 or lossless WebP, as the ending of
// name says. about, if not empty, goes into the file as its description: the
// text "parameters" of a PNG, EXIF's user comment of the others, where programs
// look for how a picture was generated.
//
// Errors: another ending, an about that doesn't fit (64 KiB in a JPEG), or the
// writer's. The caller makes a file appear whole or not at all. Equal pictures
// give equal bytes.
func (p *Picture) Encode(w io.Writer, name, about string) error {
	var b bytes.Buffer
	var err error
	about = strings.ToValidUTF8(strings.ReplaceAll(about, "\x00", ""), "\uFFFD")
	describe := func(data []byte, _ string) ([]byte, error) { return data, nil }
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".png":
		err, describe = png.Encode(&b, p.Image()), describePNG
	case ".jpg", ".jpeg":
		err, describe = jpeg.Encode(&b, p.Image(), &jpeg.Options{Quality: jpegQuality}), describeJPEG
	case ".webp":
		err, describe = nativewebp.Encode(&b, p.Image(), nil), describeWebP
	default:
		return fmt.Errorf("%s: cannot write %q pictures; use %s", name, ext, strings.Join(Endings(), ", "))
	}
	if err != nil {
		return err
	}
	data := b.Bytes()
	if about != "" {
		if data, err = describe(data, about); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	_, err = w.Write(data)
	return err
}

// describePNG puts an iTXt chunk behind the header.
// Source: PNG specification (third edition), 11.3.3.4.
func describePNG(data []byte, about string) ([]byte, error) {
	const header = 8 + 4 + 4 + 13 + 4 // signature and IHDR
	body := append([]byte("iTXtparameters\x00\x00\x00\x00\x00"), about...)
	text := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
	text = append(text, body...)
	text = binary.BigEndian.AppendUint32(text, crc32.ChecksumIEEE(body))
	return slices.Insert(data, header, text...), nil
}

// describeJPEG puts an APP1 segment behind the start of the file.
func describeJPEG(data []byte, about string) ([]byte, error) {
	body := append([]byte("Exif\x00\x00"), exifComment(about)...)
	if len(body)+2 > 0xFFFF {
		return nil, fmt.Errorf("a description of %d bytes doesn't fit a JPEG; write PNG", len(about))
	}
	segment := binary.BigEndian.AppendUint16([]byte{0xFF, 0xE1}, uint16(len(body)+2))
	return slices.Insert(data, 2, append(segment, body...)...), nil
}

// describeWebP rewrites a simple file as an extended one with an EXIF chunk.
// Source: RFC 9649, 2.7.
func describeWebP(data []byte, about string) ([]byte, error) {
	list := riffChunks(data)
	if len(list) != 1 || list[0].id != "VP8L" || len(list[0].data) < 5 {
		return nil, fmt.Errorf("the WebP encoder wrote %d chunks, not one of VP8L", len(list))
	}
	size := binary.LittleEndian.Uint32(list[0].data[1:]) // after the signature: 14 bits of width-1, 14 of height-1
	head := binary.LittleEndian.AppendUint64([]byte{1 << 3, 0, 0, 0}, uint64(size&0x3FFF)|uint64(size>>14&0x3FFF)<<24)[:10]
	var body []byte
	for _, c := range []chunk{{id: "VP8X", data: head}, list[0], {id: "EXIF", data: exifComment(about)}} {
		body = append(body, c.id...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(c.data)))
		body = append(body, c.data...)
		if len(c.data)%2 == 1 {
			body = append(body, 0)
		}
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body)+4))
	return append(append(out, "WEBP"...), body...), nil
}

// exifComment returns an EXIF block that holds a user comment alone.
// Source: CIPA DC-008, 4.6.2 (TIFF header), 4.6.5 UserComment.
func exifComment(about string) []byte {
	text := []byte("UNICODE\x00")
	for _, u := range utf16.Encode([]rune(about)) {
		text = binary.BigEndian.AppendUint16(text, u)
	}
	const long, undefined = 4, 7
	be := binary.BigEndian
	b := be.AppendUint32([]byte("MM\x00\x2a"), 8) // big-endian, first directory at 8
	entry := func(count uint16, tag, typ uint16, n, value uint32) {
		b = be.AppendUint16(b, count)
		b = be.AppendUint16(be.AppendUint16(b, tag), typ)
		b = be.AppendUint32(be.AppendUint32(b, n), value)
		b = be.AppendUint32(b, 0) // no next directory
	}
	const directory = 2 + 12 + 4
	entry(1, 0x8769, long, 1, 8+directory)                                // where EXIF's own directory is
	entry(1, 0x9286, undefined, uint32(len(text)), uint32(8+2*directory)) // UserComment
	return append(b, text...)
}
