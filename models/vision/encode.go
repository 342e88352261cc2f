package vision

import (
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"
	"strings"
)

// Image returns p as the standard library's type, in memory of its own.
func (p *Picture) Image() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, p.W, p.H))
	for i, j := 0, 0; i+2 < len(p.Pix); i, j = i+3, j+4 {
		o := m.Pix[j : j+4 : j+4]
		o[0], o[1], o[2], o[3] = p.Pix[i], p.Pix[i+1], p.Pix[i+2], 255
	}
	return m
}

// EncodePNG writes p as PNG.
func (p *Picture) EncodePNG(w io.Writer) error { return png.Encode(w, p.Image()) }

// EncodeJPEG writes p as JPEG of a quality from 1 to 100.
func (p *Picture) EncodeJPEG(w io.Writer, quality int) error {
	return jpeg.Encode(w, p.Image(), &jpeg.Options{Quality: quality})
}

// Encode writes p as PNG, or as JPEG of quality 95, as the extension of name says.
//
// Errors: another extension, or the writer's. The caller makes a file appear
// whole or not at all.
func (p *Picture) Encode(w io.Writer, name string) error {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".png":
		return p.EncodePNG(w)
	case ".jpg", ".jpeg":
		return p.EncodeJPEG(w, 95)
	default:
		return fmt.Errorf("%s: cannot write %q pictures; use .png or .jpg", name, ext)
	}
}
