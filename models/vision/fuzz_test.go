package vision

import (
	"bytes"
	"errors"
	"testing"
)

func seeds(f *testing.F) {
	for _, name := range fixtures(f) {
		f.Add(read(f, name))
	}
	f.Add(pngOf(1<<20, 1<<20, 8, 2))
	f.Add(bmpOf(3, 3))
	f.Add(tiffOf(3, 3))
}

// FuzzDecode: a picture within the limits or a typed error, never a panic.
func FuzzDecode(f *testing.F) {
	seeds(f)
	limits := Limits{Bytes: 1 << 20, Pixels: 1 << 16}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, _, err := Decode(bytes.NewReader(data), limits)
		if err != nil {
			var typed *Error
			if !errors.As(err, &typed) || typed.Kind == 0 || err.Error() == "" {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if p.W < 1 || p.H < 1 || int64(p.W)*int64(p.H) > limits.Pixels || len(p.Pix) != 3*p.W*p.H {
			t.Fatalf("%d×%d with %d bytes", p.W, p.H, len(p.Pix))
		}
	})
}

// FuzzHeader runs what reads headers by hand, past the decoders' own checks,
// where a panic is not caught.
func FuzzHeader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		sniff(data)
		for _, format := range []string{formatJPEG, formatPNG, formatWebP, formatTIFF} {
			if o := orientation(data, format); o < 1 || o > 8 {
				t.Fatalf("orientation %d", o)
			}
		}
		limits := Limits{Pixels: 1 << 14}
		if len(data) > 13 {
			gifPalette(data)
		}
		if len(data) > 2 {
			_, _ = decodeJPEG(data, limits)
		}
	})
}
