package vision

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// pattern is a computed picture with some detail.
func pattern(w, h int) *Picture {
	p := NewPicture(w, h)
	for y := range h {
		row := p.Row(y)
		for x := range w {
			row[3*x] = byte(x*7+y*3) ^ byte(x>>4)
			row[3*x+1] = byte(x*2 + y*11)
			row[3*x+2] = byte(x ^ y)
		}
	}
	return p
}

func BenchmarkResize(b *testing.B) {
	for _, c := range []struct {
		w, h, toW, toH int
		f              Filter
	}{
		{640, 480, 298, 224, Bicubic},
		{4000, 3000, 298, 224, Bicubic},
		{640, 480, 1066, 800, Bilinear},
		{4000, 3000, 1066, 800, Bilinear},
	} {
		p := pattern(c.w, c.h)
		b.Run(fmt.Sprintf("%v/%dx%d-%dx%d", c.f, c.w, c.h, c.toW, c.toH), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Resize(c.toW, c.toH, c.f, nil)
			}
			b.ReportMetric(float64(c.w*c.h)*float64(b.N)/1e6/b.Elapsed().Seconds(), "Mpx/s")
		})
	}
}

func BenchmarkCLIPTensor(b *testing.B) {
	p := pattern(640, 480)
	c := CLIPConfig(224)
	dst := make([]float32, 224*224*3)
	for b.Loop() {
		require.NoError(b, c.Tensor(dst, p, nil))
	}
}

// BenchmarkDecode compares with the standard library, which stops at planes.
func BenchmarkDecode(b *testing.B) {
	var file bytes.Buffer
	require.NoError(b, open(b, "golden/preprocess/pictures/000000190756.png").Resize(4000, 3000, Bicubic, nil).Encode(&file, "a.jpg", ""))
	rate := func(b *testing.B) {
		b.ReportMetric(12*float64(b.N)/b.Elapsed().Seconds(), "Mpx/s")
	}
	b.Run("jpeg4000x3000", func(b *testing.B) {
		for b.Loop() {
			_, _, err := Decode(bytes.NewReader(file.Bytes()), Limits{})
			require.NoError(b, err)
		}
		rate(b)
	})
	b.Run("stdlib", func(b *testing.B) {
		for b.Loop() {
			_, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
			require.NoError(b, err)
		}
		rate(b)
	})
}

// BenchmarkEncode writes eight pictures of 512×512, as many as a GPU draws at a time.
func BenchmarkEncode(b *testing.B) {
	p := pattern(512, 512)
	for _, ending := range Endings() {
		b.Run(ending[1:], func(b *testing.B) {
			for b.Loop() {
				for range 8 {
					require.NoError(b, p.Encode(io.Discard, ending, "a dog"))
				}
			}
		})
	}
}
