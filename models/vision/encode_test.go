package vision

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// comment returns the user comment of an EXIF block as a reader finds it: by the
// directories' entries.
func comment(t *testing.T, exif []byte) string {
	t.Helper()
	be := func(at, n int) (v int) {
		for _, b := range exif[at : at+n] {
			v = v<<8 | int(b)
		}
		return v
	}
	require.Equal(t, "MM\x00\x2a", string(exif[:4]))
	value := func(directory, tag int) (n, v int) {
		for i := range be(directory, 2) {
			if e := directory + 2 + 12*i; be(e, 2) == tag {
				return be(e+4, 4), be(e+8, 4)
			}
		}
		t.Fatalf("no entry %x", tag)
		return 0, 0
	}
	_, directory := value(be(4, 4), 0x8769)
	n, at := value(directory, 0x9286)
	require.Equal(t, "UNICODE\x00", string(exif[at:at+8]))
	var text []uint16
	for i := at + 8; i < at+n; i += 2 {
		text = append(text, uint16(be(i, 2)))
	}
	return string(utf16.Decode(text))
}

// TestDescription writes a description into every form, finds it where readers
// look, and reads the picture back.
func TestDescription(t *testing.T) {
	const about = "ein Hund 🐶, „groß“\nSteps: 20, Seed: 5"
	src := NewPicture(13, 7)
	for i := range src.Pix {
		src.Pix[i] = byte(i * 37)
	}
	for _, name := range []string{"a.png", "a.webp", "a.jpg"} {
		var plain, file bytes.Buffer
		require.NoError(t, src.Encode(&plain, name, ""))
		require.NoError(t, src.Encode(&file, name, about))
		data := file.Bytes()
		require.Greater(t, len(data), plain.Len()+len(about)/2)
		switch name {
		case "a.png":
			_, after, ok := bytes.Cut(data, []byte("iTXtparameters\x00\x00\x00\x00\x00"))
			require.True(t, ok)
			require.True(t, bytes.HasPrefix(after, []byte(about)))
		case "a.jpg":
			require.Equal(t, about, comment(t, jpegEXIF(data)))
		case "a.webp":
			require.Equal(t, about, comment(t, findChunk(riffChunks(data), "EXIF")))
		}
		got, _, err := Decode(&file, Limits{})
		require.NoError(t, err)
		if name == "a.jpg" {
			require.Equal(t, [2]int{13, 7}, [2]int{got.W, got.H})
			continue
		}
		require.Equal(t, src, got, name)
	}
}

func TestDescriptionErrors(t *testing.T) {
	var b bytes.Buffer
	require.ErrorContains(t, NewPicture(1, 1).Encode(&b, "a.jpg", strings.Repeat("x", 1<<16)), "write PNG")
	require.NoError(t, NewPicture(1, 1).Encode(&b, "a.png", "nul\x00 and \xff"))
	_, _, err := Decode(&b, Limits{})
	require.NoError(t, err)
}
