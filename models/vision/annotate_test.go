package vision

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// at returns a pixel.
func (p *Picture) at(x, y int) [3]byte { return [3]byte(p.Pix[3*(y*p.W+x):]) }

func TestAnnotate(t *testing.T) {
	src := pattern(640, 480)
	before := bytes.Clone(src.Pix)
	found := []Found{
		{100, 100, 300, 300, "cat", 0.93},
		{400, 50, 600, 400, "dog", 0},
		{-50, -50, 2000, 1e9, "cat", 0.5},
		{math.NaN(), 0, 1, 1, "nothing", 1},
		{0, 0, math.Inf(1), 1, "nothing", 1},
		{300, 300, 300, 300, strings.Repeat("long ", 100), 0.1},
	}
	p, err := src.Annotate(found, "two animals")
	require.NoError(t, err)
	require.Equal(t, before, src.Pix, "the source is not drawn on")
	require.Equal(t, 640, p.W)
	require.Greater(t, p.H, 480+15, "a strip for the caption")
	require.Equal(t, [3]byte{inks[0].R, inks[0].G, inks[0].B}, p.at(100, 200), "the cat's frame")
	require.Equal(t, [3]byte{inks[0].R, inks[0].G, inks[0].B}, p.at(0, 479), "the same label, the same colour, inside the picture")
	require.Equal(t, [3]byte{inks[1].R, inks[1].G, inks[1].B}, p.at(599, 399), "the dog's")
	require.Equal(t, src.at(200, 250), p.at(200, 250), "inside the frame nothing is covered")
	white := 0
	for y := 480; y < p.H; y++ {
		for x := range p.W {
			if p.at(x, y) == [3]byte{stripInk.R, stripInk.G, stripInk.B} {
				white++
			}
		}
	}
	require.Greater(t, white, 50, "letters in the strip")

	plain, err := src.Annotate(nil, "")
	require.NoError(t, err)
	require.Equal(t, src, plain)

	small, err := pattern(64, 48).Annotate(nil, "")
	require.NoError(t, err)
	require.Equal(t, 512, small.W, "enlarged by a whole factor")
	long, err := src.Annotate(nil, strings.Repeat("word ", 1000)+strings.Repeat("w", 5000))
	require.NoError(t, err)
	require.Less(t, long.H, 480+300, "a long caption is cut")
}

func TestEncode(t *testing.T) {
	src := pattern(33, 17)
	var file bytes.Buffer
	require.NoError(t, src.Encode(&file, "a.PNG", ""))
	p, format, err := Decode(&file, Limits{})
	require.NoError(t, err)
	require.Equal(t, "PNG", format)
	require.Equal(t, src, p)
	file.Reset()
	require.NoError(t, src.Encode(&file, "a.jpeg", ""))
	p, format, err = Decode(&file, Limits{})
	require.NoError(t, err)
	require.Equal(t, "JPEG", format)
	require.Equal(t, src.W*src.H, p.W*p.H)
	require.ErrorContains(t, src.Encode(&file, "a.bmp", ""), ".png, .jpg, .jpeg, .webp")
}
