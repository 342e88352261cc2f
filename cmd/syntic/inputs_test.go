package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"syntic/models/vision"
)

// encoded returns a picture as a file of the named format.
func encoded(t *testing.T, format string, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, img)
	case "jpg":
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 100})
	case "gif":
		err = gif.Encode(&b, img, nil)
	case "bmp":
		err = bmp.Encode(&b, img)
	case "tif":
		err = tiff.Encode(&b, img, &tiff.Options{Compression: tiff.Deflate, Predictor: true})
	}
	require.NoError(t, err)
	return b.Bytes()
}

// converted returns a picture's pixels in another model.
func converted(dst draw.Image, src image.Image) image.Image {
	draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Src)
	return dst
}

// A picture says the same whichever file format holds its pixels.
func TestFormatsWithoutLoss(t *testing.T) {
	dir := t.TempDir()
	src := sampleImage(t, "stop-sign")
	r := src.Bounds()
	few := converted(image.NewPaletted(r, palette.WebSafe), src) // what 256 colours can hold
	grey := converted(image.NewGray(r), src)
	for kind, c := range map[string]struct {
		plain image.Image
		files map[string]image.Image
	}{
		"colour": {src, map[string]image.Image{"png": converted(image.NewNRGBA64(r), src), "bmp": src, "tif": src}},
		"few":    {converted(image.NewNRGBA(r), few), map[string]image.Image{"gif": few, "png": few, "bmp": few, "tif": few}},
		"grey":   {converted(image.NewNRGBA(r), grey), map[string]image.Image{"png": grey, "bmp": grey, "tif": grey, "gif": converted(image.NewPaletted(r, greys()), grey)}},
	} {
		want := captionOf(t, put(t, dir, kind+"/plain.png", encoded(t, "png", c.plain)))
		require.NotEmpty(t, want)
		for format, img := range c.files {
			// The ending says nothing: the content decides.
			for _, ending := range []string{"." + format, ".jpeg", ""} {
				require.Equal(t, want, captionOf(t, put(t, dir, kind+"/same"+ending, encoded(t, format, img))), "%s as %s", kind, format)
			}
		}
	}
}

func greys() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}

// Every format and mode that Pillow wrote, WebP, CMYK and progressive JPEG,
// alpha and one bit among them, gets a caption; lossless ones that of the PNG.
func TestEveryFormatGetsACaption(t *testing.T) {
	dir := filepath.Join("..", "..", "models", "vision", "testdata")
	d := command(t, "caption", "--quiet", dir)
	require.Equal(t, 0, d.code, d.err)
	got := map[string]string{}
	for _, l := range d.lines() {
		file, text, _ := strings.Cut(l, ": ")
		require.NotEmpty(t, text, file)
		got[filepath.Base(file)] = text
	}
	require.Greater(t, len(got), 35)
	for same, to := range map[string]string{"lossless.webp": "rgb.png", "rgb.bmp": "rgb.png", "rgb.tif": "rgb.png", "grey.tif": "grey.png"} {
		require.Equal(t, got[to], got[same], same)
	}
}

// turned returns the pixels that EXIF orientation o turns into img.
func turned(img image.Image, o int) image.Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if o > 4 {
		w, h = h, w
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range b.Dy() {
		for x := range b.Dx() {
			X, Y := x, y
			// Source: EXIF 2.32, tag 0x0112: which sides of the seen picture
			// the stored row 0 and column 0 are.
			switch o {
			case 2:
				X = b.Dx() - 1 - x
			case 3:
				X, Y = b.Dx()-1-x, b.Dy()-1-y
			case 4:
				Y = b.Dy() - 1 - y
			case 5:
				X, Y = y, x
			case 6:
				X, Y = y, b.Dx()-1-x
			case 7:
				X, Y = b.Dy()-1-y, b.Dx()-1-x
			case 8:
				X, Y = b.Dy()-1-y, x
			}
			out.Set(X, Y, img.At(b.Min.X+x, b.Min.Y+y))
		}
	}
	return out
}

// exif returns a TIFF block with the orientation alone.
func exif(o int) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	return append(b, 0, byte(o), 0, 0, 0, 0, 0, 0)
}

// A camera's orientation is applied before anything is recognised.
func TestOrientations(t *testing.T) {
	dir := t.TempDir()
	src := sampleImage(t, "giraffe-zebra")
	want := captionOf(t, "sample:giraffe-zebra")
	for o := 1; o <= 8; o++ {
		stored := turned(src, o)
		if o > 1 {
			require.NotEqual(t, encoded(t, "png", src), encoded(t, "png", stored))
		}
		file := encoded(t, "png", stored)
		chunk := append([]byte("eXIf"), exif(o)...)
		e := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
		e = binary.BigEndian.AppendUint32(append(e, chunk...), crc32.ChecksumIEEE(chunk))
		const head = 33 // signature and IHDR
		file = append(append(append([]byte{}, file[:head]...), e...), file[head:]...)
		require.Equal(t, want, captionOf(t, put(t, dir, "turned.png", file)), "PNG orientation %d", o)

		file = encoded(t, "jpg", stored)
		body := append([]byte("Exif\x00\x00"), exif(o)...)
		app1 := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
		file = append(append(append([]byte{0xff, 0xd8}, app1...), body...), file[2:]...)
		require.Equal(t, want, captionOf(t, put(t, dir, "turned.jpg", file)), "JPEG orientation %d", o)
	}
}

// hugePNG returns the header of a picture of w×h pixels and nothing else.
func hugePNG(w, h uint32) []byte {
	b := binary.BigEndian.AppendUint32([]byte("IHDR"), w)
	b = append(binary.BigEndian.AppendUint32(b, h), 8, 2, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(out, b...), crc32.ChecksumIEEE(b))
}

// Pictures that can't be read are named with the reason, the others captioned,
// and the exit code is 1.
func TestUnreadablePictures(t *testing.T) {
	dir := t.TempDir()
	photo := encoded(t, "jpg", sampleImage(t, "sheep"))
	faults := []struct{ path, want string }{
		{filepath.Join(dir, "missing.png"), "no such file"},
		{put(t, dir, "empty.jpg", nil), "the file is empty"},
		{put(t, dir, "cut.jpg", photo[:len(photo)/2]), "JPEG picture is truncated"},
		{put(t, dir, "cut.png", sampleFile(t, "kite")[:500]), "PNG picture is truncated"},
		{put(t, dir, "page.jpg", []byte("<!DOCTYPE html><html><body>404</body></html>")), "HTML"},
		{put(t, dir, "drawing.png", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), "SVG"},
		{put(t, dir, "phone.jpg", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00heicmif1")), "HEIC"},
		{put(t, dir, "words.png", []byte("just words")), "not supported"},
		{put(t, dir, "huge.png", hugePNG(1<<17, 1<<17)), "too large"},
		{put(t, dir, "corrupt.png", append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 64)...)), "PNG picture is damaged"},
		{put(t, dir, "heavy.bmp", append([]byte("BM"), make([]byte, vision.DefaultMaxBytes)...)), "too large"},
		{"sample:unicorn", "no such sample"},
	}
	if os.Geteuid() != 0 {
		path := put(t, dir, "secret.png", photo)
		require.NoError(t, os.Chmod(path, 0))
		faults = append(faults, struct{ path, want string }{path, "permission denied"})
	}
	args := []string{"sample:stop-sign"}
	for _, f := range faults {
		args = append(args, f.path)
	}
	args = append(args, "sample:kite")
	for _, name := range []string{"caption", "detect", "embed"} {
		d := command(t, append([]string{name, "--quiet", "--batch", "5"}, args...)...)
		require.Equal(t, 1, d.code)
		messages := strings.Split(strings.TrimSpace(d.err), "\n")
		require.Len(t, messages, len(faults), d.err)
		for i, f := range faults {
			require.Contains(t, messages[i], "syntic: ")
			require.Contains(t, messages[i], f.path)
			require.Contains(t, messages[i], f.want)
		}
		if name == "caption" {
			require.Len(t, d.lines(), 2)
			require.Equal(t, "sample:stop-sign: "+stopSign, d.lines()[0])
			require.Contains(t, d.lines()[1], "sample:kite: a ")
		}
	}
	// One alone leaves nothing on standard output, and no file.
	out := filepath.Join(t.TempDir(), "f.npy")
	d := command(t, "embed", "--quiet", faults[1].path, "-o", out)
	require.Equal(t, 1, d.code)
	require.Empty(t, d.out)
	require.NoFileExists(t, out)
}

func TestStandardInput(t *testing.T) {
	d := commandWith(t, t.Context(), &app{in: bytes.NewReader(sampleFile(t, "stop-sign"))}, "caption", "--quiet", "-")
	require.Equal(t, done{0, stopSign + "\n", ""}, d)
	d = commandWith(t, t.Context(), &app{in: strings.NewReader("")}, "caption", "--quiet", "-", "sample:stop-sign")
	require.Equal(t, done{1, "sample:stop-sign: " + stopSign + "\n", "syntic: -: picture: the file is empty\n"}, d)
}

// URLs are fetched when allowed; whatever the server does is one clear line.
func TestFetch(t *testing.T) {
	quit := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(sampleFile(t, "stop-sign")) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>please log in</html>")) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) { <-quit })
	mux.HandleFunc("/drip", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(sampleFile(t, "kite")[:100])
		w.(http.Flusher).Flush()
		<-quit
	})
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		block := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 1<<20)...)
		for range 100 * (vision.DefaultMaxBytes >> 20) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9999")
		_, _ = w.Write(sampleFile(t, "kite")[:100])
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(quit)
	for path, want := range map[string]string{
		"/none": "the server answered 404 Not Found", "/page": "HTML", "/loop": "stopped after 10 redirects",
		"/slow": "Client.Timeout", "/drip": "Client.Timeout", "/huge": "too large", "/short": "EOF",
	} {
		d := commandWith(t, t.Context(), &app{patience: 2 * time.Second}, "caption", "--quiet", "--fetch", server.URL+path, server.URL+"/ok", server.URL+"/moved")
		require.Equal(t, 1, d.code, path)
		require.Contains(t, d.err, server.URL+path)
		require.Contains(t, d.err, want)
		require.Equal(t, 1, strings.Count(d.err, "\n"))
		require.Equal(t, server.URL+"/ok: "+stopSign+"\n"+server.URL+"/moved: "+stopSign+"\n", d.out)
	}
	d := command(t, "caption", "--quiet", server.URL+"/ok")
	require.Equal(t, 2, d.code, "no URL without --fetch")
	d = command(t, "caption", "--quiet", "--fetch", "http://127.0.0.1:1/x.png")
	require.Equal(t, 1, d.code)
	require.Contains(t, d.err, "refused")
}
