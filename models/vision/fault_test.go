package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused decodes data and returns the typed error.
func refused(t *testing.T, data []byte, l Limits) *Error {
	t.Helper()
	p, _, err := Decode(bytes.NewReader(data), l)
	require.Nil(t, p)
	var typed *Error
	require.True(t, errors.As(err, &typed), "%v", err)
	require.NotEmpty(t, err.Error())
	return typed
}

func TestEmptyFile(t *testing.T) {
	require.Equal(t, Empty, refused(t, nil, Limits{}).Kind)
}

func fixtures(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.*")
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		if ext := filepath.Ext(f); ext != ".md" && ext != ".safetensors" {
			names = append(names, filepath.Base(f))
		}
	}
	require.Greater(t, len(names), 40)
	return names
}

// TestTruncated cuts every file everywhere: either nothing of the picture was
// behind the cut, or the answer is an error, and in the middle it says so.
func TestTruncated(t *testing.T) {
	for _, name := range fixtures(t) {
		data := read(t, name)
		whole, _, err := Decode(bytes.NewReader(data), Limits{})
		require.NoError(t, err)
		for n := 1; n < len(data); n++ {
			p, _, err := Decode(bytes.NewReader(data[:n]), Limits{})
			if err == nil {
				if p.W == whole.W && p.H == whole.H {
					require.Equal(t, whole.Pix, p.Pix, "%s cut to %d of %d bytes", name, n, len(data))
					continue
				}
				// Only the note about the orientation was cut off.
				require.Contains(t, name, "orient", "%s cut to %d of %d bytes", name, n, len(data))
				continue
			}
			var typed *Error
			require.True(t, errors.As(err, &typed), "%s cut to %d: %v", name, n, err)
		}
		if name == "animated.gif" || name == "animated.webp" || name == "orient3.tif" {
			continue // the middle is behind the first frame, or holds no pixels
		}
		cut := data[:len(data)*6/10]
		require.Equal(t, Truncated, refused(t, cut, Limits{}).Kind, "%s: %v", name, refused(t, cut, Limits{}))
	}
}

// pngOf builds a PNG of an image header, one data chunk and an end.
func pngOf(w, h uint32, depth, color byte, extra ...string) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(id string, body []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		sum := crc32.ChecksumIEEE(append([]byte(id), body...))
		out = append(append(out, id...), body...)
		out = binary.BigEndian.AppendUint32(out, sum)
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(head, depth, color, 0, 0, 0))
	for _, e := range extra {
		chunk(e[:4], []byte(e[4:]))
	}
	chunk("IDAT", []byte{0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1})
	chunk("IEND", nil)
	return out
}

func TestTooLarge(t *testing.T) {
	huge := map[string][]byte{
		"PNG of 50 gigapixels": pngOf(223607, 223607, 8, 2),
		"PNG of 2^31-1 a side": pngOf(math.MaxInt32, math.MaxInt32, 16, 6),
		"GIF":                  append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00"), make([]byte, 8)...),
		"JPEG":                 []byte("\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x00\x03\x11\x00\xff\xd9"),
		"WebP lossless":        []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0e\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		"BMP":                  bmpOf(60000, 60000),
		"TIFF":                 tiffOf(60000, 60000),
	}
	for name, data := range huge {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			e := refused(t, data, Limits{})
			runtime.ReadMemStats(&after)
			require.Equal(t, TooLarge, e.Kind, e.Error())
			require.Contains(t, e.Error(), "40000000")
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
		})
	}
	data := read(t, "rgb.png")
	e := refused(t, data, Limits{Bytes: int64(len(data)) - 1})
	require.Equal(t, TooLarge, e.Kind)
	require.Equal(t, "PNG", e.Format)
	_, _, err := Decode(bytes.NewReader(data), Limits{Bytes: int64(len(data)), Pixels: 27 * 21})
	require.NoError(t, err)
	require.Equal(t, TooLarge, refused(t, data, Limits{Pixels: 27*21 - 1}).Kind)
}

func bmpOf(w, h uint32) []byte {
	b := make([]byte, 54, 70)
	copy(b, "BM")
	le := binary.LittleEndian
	le.PutUint32(b[10:], 54)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], w)
	le.PutUint32(b[22:], h)
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], 24)
	return append(b, make([]byte, 16)...)
}

func tiffOf(w, h uint32) []byte {
	le := binary.LittleEndian
	b := append([]byte("II*\x00\x08\x00\x00\x00"), 8, 0)
	for _, f := range [][3]uint32{{256, 4, w}, {257, 4, h}, {258, 3, 8}, {259, 3, 1}, {262, 3, 1}, {273, 4, 8}, {278, 4, h}, {279, 4, 100}} {
		b = le.AppendUint16(b, uint16(f[0]))
		b = le.AppendUint16(b, uint16(f[1]))
		b = le.AppendUint32(b, 1)
		b = le.AppendUint32(b, f[2])
	}
	return append(b, 0, 0, 0, 0)
}

func TestExtremeShapes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {1, 60000}, {60000, 1}, {2, 3}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var file bytes.Buffer
			src := pattern(size[0], size[1])
			require.NoError(t, src.Encode(&file, "a.png", ""))
			p, _, err := Decode(&file, Limits{})
			require.NoError(t, err)
			require.Equal(t, src, p)
			for name, c := range map[string]Config{"clip": CLIPConfig(224), "detr": DETRConfig()} {
				w, h := c.OutputSize(p.W, p.H)
				dst := make([]float32, w*h*3)
				require.NoError(t, c.Tensor(dst, p, nil), name)
				for _, v := range dst {
					require.False(t, math.IsNaN(float64(v)) || math.IsInf(float64(v), 0))
				}
			}
			_, err = p.Annotate([]Found{{0, 0, 1, 1, "thing", 1}}, "a thin thing")
			require.NoError(t, err)
		})
	}
}

// TestNotPictures: the format is named, so that the answer can be 415.
func TestNotPictures(t *testing.T) {
	for format, data := range map[string]string{
		"HEIC":           "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
		"HEIF":           "\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic",
		"AVIF":           "\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1",
		"MP4 video":      "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
		"JPEG XL":        "\xff\x0a\x00\x00",
		"JPEG 2000":      "\x00\x00\x00\x0cjP  \r\n\x87\n",
		"SVG":            "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
		"HTML":           "\n <!DOCTYPE html><html><body>404</body></html>",
		"XML":            "<?xml version=\"1.0\"?><note/>",
		"PDF":            "%PDF-1.7\n",
		"JSON":           "{\"error\": \"not found\"}",
		"gzip archive":   "\x1f\x8b\x08\x00",
		"Photoshop":      "8BPS\x00\x01",
		"Matroska video": "\x1aE\xdf\xa3",
		"":               "hello, I am no picture",
	} {
		e := refused(t, []byte(data), Limits{})
		require.Equal(t, Unsupported, e.Kind, format)
		require.Equal(t, format, e.Format)
		require.Contains(t, e.Error(), format)
		require.Contains(t, e.Error(), "JPEG, PNG, GIF, WebP, BMP")
	}
}

func TestWrongExtension(t *testing.T) {
	path := filepath.Join(t.TempDir(), "picture.jpg")
	require.NoError(t, os.WriteFile(path, read(t, "lossy.webp"), 0o600))
	_, format, err := DecodeFile(path, Limits{})
	require.NoError(t, err)
	require.Equal(t, "WebP", format)
	require.NoError(t, os.WriteFile(path, []byte("<svg/>"), 0o600))
	_, format, err = DecodeFile(path, Limits{})
	require.ErrorContains(t, err, "picture.jpg: SVG picture not supported")
	require.Equal(t, "SVG", format)
	_, _, err = DecodeFile(path+".none", Limits{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestColourProfile: an ICC profile changes nothing, as in Pillow's convert.
func TestColourProfile(t *testing.T) {
	jpg := read(t, "rgb420.jpg")
	want, _, err := Decode(bytes.NewReader(jpg), Limits{})
	require.NoError(t, err)
	profile := "\xff\xe2\x00\x20ICC_PROFILE\x00\x01\x01" + strings.Repeat("p", 16)
	got, _, err := Decode(strings.NewReader(string(jpg[:2])+profile+string(jpg[2:])), Limits{})
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestManyScans: a small progressive file must not buy unbounded work.
func TestManyScans(t *testing.T) {
	jpg := read(t, "progressive.jpg")
	at := bytes.Index(jpg, []byte("\xff\xda"))
	first := jpg[at : at+4+bytes.Index(jpg[at+4:], []byte("\xff\xc4"))]
	data := append(append(bytes.Clone(jpg[:at]), bytes.Repeat(first, 2*maxScans)...), 0xff, 0xd9)
	require.Contains(t, refused(t, data, Limits{}).Error(), "scans")
}

func TestUnsupportedJPEG(t *testing.T) {
	jpg := read(t, "rgb444.jpg")
	at := bytes.Index(jpg, []byte("\xff\xc0"))
	for name, change := range map[string]func(b []byte){
		"arithmetic": func(b []byte) { b[at+1] = 0xC9 },
		"12 bits":    func(b []byte) { b[at+4] = 12 },
		"fractional": func(b []byte) { b[at+11] = 0x31; b[at+14] = 0x21 },
	} {
		b := bytes.Clone(jpg)
		change(b)
		e := refused(t, b, Limits{})
		require.Equal(t, Unsupported, e.Kind, name)
		require.Contains(t, e.Error(), name)
	}
}

func TestReaderError(t *testing.T) {
	broken := errors.New("the line is dead")
	_, _, err := Decode(readerFunc(func([]byte) (int, error) { return 0, broken }), Limits{})
	require.ErrorIs(t, err, broken)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
