package vision

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Limits bound what [Decode] accepts. They are checked before the pixels are
// decoded; at most about 14 bytes per pixel are in use at once.
type Limits struct {
	Bytes  int64 // of the file; 0 means 32 MiB
	Pixels int64 // width × height; 0 means 40 million
}

// Defaults of [Limits].
const (
	DefaultMaxBytes  = 32 << 20
	DefaultMaxPixels = 40_000_000
)

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = DefaultMaxBytes
	}
	if l.Pixels == 0 {
		l.Pixels = DefaultMaxPixels
	}
	return l
}

// Decode reads a picture: JPEG (baseline, progressive; grey, YCbCr, RGB, CMYK),
// PNG, GIF (first frame), WebP (lossy, lossless; first frame), BMP, TIFF. The
// format is found in the content. EXIF's orientation is applied.
//
// The result is the same bytes as Pillow's Image.open(f).convert("RGB") after
// ImageOps.exif_transpose: alpha and transparent palette entries are dropped,
// not composed; 16-bit colour keeps its high byte; 16-bit grey above 255
// becomes white (Pillow's rule for mode "I;16", which scales nothing); CMYK is
// taken as Adobe writes it, inverted; colour profiles are ignored. Damaged or
// missing data is an error, where Pillow may guess the rest of a JPEG.
//
// Errors: an [*Error] for anything wrong with the input, else the reader's.
func Decode(r io.Reader, l Limits) (p *Picture, format string, err error) {
	l = l.orDefault()
	data, err := io.ReadAll(io.LimitReader(r, l.Bytes+1))
	if err != nil {
		return nil, "", fmt.Errorf("reading a picture: %w", err)
	}
	if len(data) == 0 {
		return nil, "", &Error{Kind: Empty}
	}
	format = sniff(data)
	if int64(len(data)) > l.Bytes {
		return nil, format, &Error{Kind: TooLarge, Format: format, Detail: fmt.Sprintf("more than the limit of %d bytes", l.Bytes)}
	}
	// The decoders are other people's: a panic in one costs this picture only.
	defer func() {
		if fault := recover(); fault != nil {
			p, err = nil, corrupt(format, "decoder failed: %v", fault)
		}
	}()
	p, err = decodeFormat(data, format, l)
	if err != nil {
		return nil, format, err
	}
	return p.orient(orientation(data, format)), format, nil
}

// DecodeFile is [Decode] on a file; errors name it.
func DecodeFile(path string, l Limits) (*Picture, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	p, format, err := Decode(f, l)
	if err != nil {
		return nil, format, fmt.Errorf("%s: %w", path, err)
	}
	return p, format, nil
}

// decodeFormat decodes data as what it was recognised as.
func decodeFormat(data []byte, format string, l Limits) (*Picture, error) {
	switch format {
	case formatJPEG:
		return decodeJPEG(data, l)
	case formatPNG:
		if len(data) >= 24 {
			// The decoder's own check calls a huge size unsupported.
			be := binary.BigEndian
			if err := l.check(format, int(be.Uint32(data[16:])), int(be.Uint32(data[20:]))); err != nil {
				return nil, err
			}
		}
		return decodeWith(data, format, l, png.DecodeConfig, png.Decode)
	case formatGIF:
		return decodeGIF(data, l)
	case formatWebP:
		return decodeWebP(data, l)
	case formatBMP:
		return decodeWith(data, format, l, bmp.DecodeConfig, bmp.Decode)
	case formatTIFF:
		return decodeWith(data, format, l, tiff.DecodeConfig, tiff.Decode)
	case "":
		return nil, &Error{Kind: Unsupported, Detail: "not a picture format this program knows; it reads JPEG, PNG, GIF, WebP, BMP and TIFF"}
	}
	return nil, &Error{Kind: Unsupported, Format: format, Detail: "convert it to JPEG, PNG, GIF, WebP, BMP or TIFF"}
}

// decodeWith reads the size, checks it, and only then decodes.
func decodeWith(data []byte, format string, l Limits,
	config func(io.Reader) (image.Config, error), decode func(io.Reader) (image.Image, error),
) (*Picture, error) {
	c, err := config(bytes.NewReader(data))
	if err != nil {
		return nil, decoderError(format, err)
	}
	if err := l.check(format, c.Width, c.Height); err != nil {
		return nil, err
	}
	m, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, decoderError(format, err)
	}
	return convert(m, format, data)
}

// check refuses sizes that are no picture's, or above the limit.
func (l Limits) check(format string, w, h int) error {
	if w < 1 || h < 1 {
		return corrupt(format, "%d×%d pixels", w, h)
	}
	if int64(w)*int64(h) > l.Pixels {
		return &Error{Kind: TooLarge, Format: format, Detail: fmt.Sprintf("%d×%d pixels are more than the limit of %d", w, h, l.Pixels)}
	}
	return nil
}

// decodeGIF decodes the first frame on its canvas. The canvas around the frame
// takes the transparent colour, or colour 0, and transparent pixels keep the
// colour their palette gives them, as in Pillow.
func decodeGIF(data []byte, l Limits) (*Picture, error) {
	c, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, decoderError(formatGIF, err)
	}
	if err := l.check(formatGIF, c.Width, c.Height); err != nil {
		return nil, err
	}
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, decoderError(formatGIF, err)
	}
	frame, ok := m.(*image.Paletted)
	if !ok {
		return nil, corrupt(formatGIF, "no palette")
	}
	colors, transparent := gifPalette(data)
	p := NewPicture(c.Width, c.Height)
	at := func(i int) []byte {
		if 3*i+3 > len(colors) {
			return []byte{0, 0, 0}
		}
		return colors[3*i : 3*i+3]
	}
	for i := 0; i < len(p.Pix); i += 3 {
		copy(p.Pix[i:], at(transparent))
	}
	b := frame.Rect
	for y := b.Min.Y; y < b.Max.Y; y++ {
		row := p.Row(y)
		for x := b.Min.X; x < b.Max.X; x++ {
			copy(row[3*x:], at(int(frame.ColorIndexAt(x, y))))
		}
	}
	return p, nil
}

// gifPalette returns the colours of the first frame as they stand in a file
// that has been decoded already (the standard library blackens the transparent
// one), and the transparent colour's number or 0.
//
// Source: GIF89a specification, sections 18-23.
func gifPalette(data []byte) (colors []byte, transparent int) {
	table := func(at int, flags byte) []byte {
		end := min(at+3<<(flags&7+1), len(data))
		return data[min(at, end):end]
	}
	at := 13
	if flags := data[10]; flags&0x80 != 0 {
		colors = table(at, flags)
		at += 3 << (flags&7 + 1)
	}
	for at+1 < len(data) && data[at] == '!' {
		if data[at+1] == 0xF9 && at+6 < len(data) && data[at+3]&1 != 0 {
			transparent = int(data[at+6])
		}
		for at += 2; at < len(data) && data[at] != 0; {
			at += int(data[at]) + 1
		}
		at++
	}
	if at+9 < len(data) && data[at] == ',' && data[at+9]&0x80 != 0 {
		colors = table(at+10, data[at+9])
	}
	return colors, transparent
}
