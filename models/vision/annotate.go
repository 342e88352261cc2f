package vision

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Found is something found in a picture: corners in its pixels.
type Found struct {
	X0, Y0, X1, Y1 float64
	Label          string
	Score          float64 // shown in percent when above 0
}

// Sizes of annotations.
const (
	smallest   = 512 // pictures with shorter sides are enlarged to this
	textPart   = 34  // text height is the longer side divided by this
	maxCaption = 8   // lines
)

// inks are told apart by people with any colour vision.
// Source: Okabe and Ito, "Color Universal Design" (2008), without black.
var inks = []color.RGBA{
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 158, 115, 255}, {240, 228, 66, 255},
	{213, 94, 0, 255}, {204, 121, 167, 255}, {0, 114, 178, 255},
}

var (
	stripInk  = color.RGBA{245, 246, 248, 255}
	stripBack = color.RGBA{24, 26, 31, 255}
	shadow    = color.RGBA{0, 0, 0, 150}
)

// canvas is a picture being drawn on.
type canvas struct {
	*image.RGBA
	face   font.Face
	line   int // thickness
	pad    int
	height int // of a line of text
	ascent int
	taken  []image.Rectangle // labels already placed
}

// Annotate returns a copy of p with boxes, their labels, and the caption in a
// strip below; no caption, no strip. Everything scales with the picture; one
// whose longer side is below 512 is enlarged first by a whole factor. A box
// that is not finite is left out; one label has one colour throughout.
//
// Letters: those of the Go fonts (Latin, Greek, Cyrillic).
func (p *Picture) Annotate(boxes []Found, caption string) (*Picture, error) {
	zoom := max(1, (smallest+max(p.W, p.H)-1)/max(p.W, p.H))
	if zoom > 1 {
		// Whole pixels: what the model saw stays visible as it was.
		p = p.Resize(p.W*zoom, p.H*zoom, Nearest, nil)
	}
	long := float64(max(p.W, p.H))
	parsed, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		return nil, fmt.Errorf("annotating: %w", err)
	}
	size := max(min(long/textPart, float64(min(p.W, p.H))/10), 13)
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("annotating: %w", err)
	}
	defer face.Close()
	m := face.Metrics()
	c := &canvas{
		face: face, line: max(int(long/280), 2), pad: max(int(size*0.35), 3),
		height: (m.Ascent + m.Descent).Ceil(), ascent: m.Ascent.Ceil(),
	}
	lines := c.wrap(strings.Join(strings.Fields(caption), " "), p.W-4*c.pad)
	strip := 0
	if len(lines) > 0 {
		strip = len(lines)*c.height + 4*c.pad
	}
	c.RGBA = image.NewRGBA(image.Rect(0, 0, p.W, p.H+strip))
	draw.Draw(c.RGBA, image.Rect(0, 0, p.W, p.H), p.Image(), image.Point{}, draw.Src)

	picture := image.Rect(0, 0, p.W, p.H)
	c.boxes(boxes, float64(zoom), picture)
	c.fill(image.Rect(0, p.H, p.W, p.H+strip), stripBack)
	for i, text := range lines {
		c.text(text, 2*c.pad, p.H+2*c.pad+i*c.height+c.ascent, stripInk)
	}
	out := NewPicture(p.W, p.H+strip)
	rows(out, c.Pix, c.Stride, 4, func(out, in []byte) { out[0], out[1], out[2] = in[0], in[1], in[2] })
	return out, nil
}

// boxes draws frames first, so that no frame crosses a label; large ones first,
// so that small ones stay visible.
func (c *canvas) boxes(boxes []Found, zoom float64, picture image.Rectangle) {
	type framed struct {
		r    image.Rectangle
		ink  color.RGBA
		text string
	}
	ink := map[string]color.RGBA{}
	var list []framed
	for _, b := range boxes {
		r, ok := b.rect(zoom, picture)
		if !ok {
			continue
		}
		if _, ok := ink[b.Label]; !ok {
			ink[b.Label] = inks[len(ink)%len(inks)]
		}
		text := b.Label
		if b.Score > 0 {
			text = strings.TrimSpace(fmt.Sprintf("%s %.0f %%", b.Label, 100*b.Score))
		}
		list = append(list, framed{r, ink[b.Label], text})
	}
	slices.SortStableFunc(list, func(a, b framed) int {
		return cmp.Compare(b.r.Dx()*b.r.Dy(), a.r.Dx()*a.r.Dy())
	})
	for _, f := range list {
		edge := max(c.line/2, 1)
		c.frame(f.r.Inset(-edge).Intersect(picture), c.line+2*edge, shadow)
		c.frame(f.r, c.line, f.ink)
	}
	for _, f := range list {
		if f.text != "" {
			c.label(f.text, f.r, f.ink, picture)
		}
	}
}

// rect returns the box in whole pixels of the picture, at least 1×1.
func (b Found) rect(zoom float64, picture image.Rectangle) (image.Rectangle, bool) {
	limit := func(v float64, size int) int { return int(math.Round(min(max(v*zoom, 0), float64(size)))) }
	for _, v := range []float64{b.X0, b.Y0, b.X1, b.Y1} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return image.Rectangle{}, false
		}
	}
	r := image.Rect(limit(b.X0, picture.Dx()), limit(b.Y0, picture.Dy()), limit(b.X1, picture.Dx()), limit(b.Y1, picture.Dy()))
	r.Max.X, r.Max.Y = max(r.Max.X, r.Min.X+1), max(r.Max.Y, r.Min.Y+1)
	return r, true
}

func (c *canvas) fill(r image.Rectangle, ink color.Color) {
	draw.Draw(c.RGBA, r, image.NewUniform(ink), image.Point{}, draw.Over)
}

// frame draws the border of r, inside it.
func (c *canvas) frame(r image.Rectangle, width int, ink color.Color) {
	w := min(width, (r.Dx()+1)/2, (r.Dy()+1)/2)
	c.fill(image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+w), ink)
	c.fill(image.Rect(r.Min.X, r.Max.Y-w, r.Max.X, r.Max.Y), ink)
	c.fill(image.Rect(r.Min.X, r.Min.Y+w, r.Min.X+w, r.Max.Y-w), ink)
	c.fill(image.Rect(r.Max.X-w, r.Min.Y+w, r.Max.X, r.Max.Y-w), ink)
}

// label writes text on a plate of the box's colour: above the box, else inside,
// else below, wherever no other label is.
func (c *canvas) label(text string, box image.Rectangle, ink color.RGBA, picture image.Rectangle) {
	text = c.cut(text, picture.Dx()-2*c.pad)
	w, h := c.width(text)+2*c.pad, c.height+c.pad
	place := func(y int) image.Rectangle {
		r := image.Rect(box.Min.X, y, box.Min.X+w, y+h)
		r = r.Add(image.Pt(min(0, picture.Max.X-r.Max.X), min(0, picture.Max.Y-r.Max.Y)))
		return r.Add(image.Pt(max(0, -r.Min.X), max(0, -r.Min.Y)))
	}
	var plate image.Rectangle
	for i, y := range []int{box.Min.Y - h, box.Min.Y, box.Max.Y, box.Max.Y - h, box.Min.Y + h, box.Min.Y - 2*h} {
		plate = place(y)
		if plate.Min.Y == y && !c.isTaken(plate) || i == 0 && box.Min.Y < h && !c.isTaken(plate) {
			break
		}
	}
	c.taken = append(c.taken, plate)
	c.fill(plate, ink)
	letters := color.RGBA{255, 255, 255, 255}
	if 299*int(ink.R)+587*int(ink.G)+114*int(ink.B) > 130*1000 {
		letters = color.RGBA{16, 16, 16, 255}
	}
	c.text(text, plate.Min.X+c.pad, plate.Min.Y+c.pad/2+c.ascent, letters)
}

func (c *canvas) isTaken(r image.Rectangle) bool {
	return slices.ContainsFunc(c.taken, r.Overlaps)
}

func (c *canvas) text(s string, x, y int, ink color.Color) {
	d := font.Drawer{Dst: c.RGBA, Src: image.NewUniform(ink), Face: c.face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

func (c *canvas) width(s string) int { return font.MeasureString(c.face, s).Ceil() }

// cut shortens s with an ellipsis until it is at most w wide.
func (c *canvas) cut(s string, w int) string {
	if c.width(s) <= w {
		return s
	}
	runes := []rune(s)
	// The longest prefix that fits, by bisection: labels may be long.
	low, high := 0, len(runes)
	for low < high {
		mid := (low + high + 1) / 2
		if c.width(string(runes[:mid])+"…") <= w {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return string(runes[:low]) + "…"
}

// wrap breaks s into lines of at most w, the last one cut.
func (c *canvas) wrap(s string, w int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(s, " ") {
		switch longer := strings.TrimSpace(line + " " + word); {
		case c.width(longer) <= w || line == "":
			line = longer
		case len(lines) == maxCaption-1:
			return append(lines, c.cut(longer+" …", w))
		default:
			lines = append(lines, c.cut(line, w))
			line = word
		}
	}
	if line != "" {
		lines = append(lines, c.cut(line, w))
	}
	return lines
}
