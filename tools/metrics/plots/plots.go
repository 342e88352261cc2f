// Package plots draws learning curves and comparisons of systems as PNG or SVG.
//
// It draws numbers it is given and computes none. tools/metrics and commands
// may import it.
package plots

import (
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Curve is one metric's values over training steps or epochs.
type Curve struct {
	Name string
	X, Y []float64 // of one length
}

// Bar is one system's value of one metric, with its interval where High > Low.
type Bar struct{ Value, Low, High float64 }

// System is a named row of bars, one per metric.
type System struct {
	Name string
	Bars []Bar
}

// The colours tell apart for the colour-blind.
// Source: Okabe and Ito 2008.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff}, color.RGBA{0, 0, 0, 0xff},
}

const width, height = 18 * vg.Centimeter, 11 * vg.Centimeter

// Curves draws learning curves to path, a .png or .svg file. Points that are
// not numbers are left out.
func Curves(path, title, x, y string, curves []Curve) error {
	p := frame(title, y)
	p.X.Label.Text = x
	drawn := 0
	for i, c := range curves {
		if len(c.X) != len(c.Y) {
			return fmt.Errorf("plots: curve %q has %d steps and %d values", c.Name, len(c.X), len(c.Y))
		}
		var pts plotter.XYs
		for k := range c.X {
			if finite(c.X[k]) && finite(c.Y[k]) {
				pts = append(pts, plotter.XY{X: c.X[k], Y: c.Y[k]})
			}
		}
		if len(pts) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(pts)
		if err != nil {
			return err
		}
		line.Color, points.Color = palette[i%len(palette)], palette[i%len(palette)]
		line.Width = vg.Points(1.5)
		p.Add(line, points)
		p.Legend.Add(c.Name, line, points)
		drawn++
	}
	if drawn == 0 {
		return errors.New("plots: no curve holds a number")
	}
	return save(p, path)
}

// Comparison draws systems side by side, a group of bars per metric.
func Comparison(path, title string, metrics []string, systems []System) error {
	if len(metrics) == 0 || len(systems) == 0 {
		return errors.New("plots: nothing to compare")
	}
	p := frame(title, "score × 100")
	w := vg.Points(240 / float64(len(metrics)*len(systems)))
	w = min(max(w, vg.Points(4)), vg.Points(24))
	for i, s := range systems {
		if len(s.Bars) != len(metrics) {
			return fmt.Errorf("plots: system %q has %d values for %d metrics", s.Name, len(s.Bars), len(metrics))
		}
		values := make(plotter.Values, len(metrics))
		err := interval{width: w / 2, offset: w * vg.Length(float64(i)-float64(len(systems)-1)/2)}
		for k, b := range s.Bars {
			if finite(b.Value) {
				values[k] = 100 * b.Value
			}
			if b.High > b.Low && finite(b.High) && finite(b.Low) {
				err.bars = append(err.bars, [3]float64{float64(k), 100 * b.Low, 100 * b.High})
			}
		}
		bars, e := plotter.NewBarChart(values, w)
		if e != nil {
			return e
		}
		bars.Color, bars.LineStyle.Width = palette[i%len(palette)], 0
		bars.Offset = err.offset
		p.Add(bars, err)
		p.Legend.Add(s.Name, bars)
	}
	p.NominalX(metrics...)
	p.Y.Min = min(p.Y.Min, 0)
	return save(p, path)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func frame(title, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = title, y
	p.Legend.Top = true
	grid := plotter.NewGrid()
	grid.Vertical.Width = 0
	p.Add(grid)
	return p
}

// save writes the picture whole or not at all.
func save(p *plot.Plot, path string) error {
	form := strings.TrimPrefix(strings.ToLower(filepath.Ext(path)), ".")
	if form != "png" && form != "svg" {
		return fmt.Errorf("plots: %s: name a .png or .svg file", path)
	}
	w, err := p.WriterTo(width, height, form)
	if err != nil {
		return fmt.Errorf("plots: %w", err)
	}
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("plots: %w", err)
	}
	defer func() { _ = f.Cleanup() }()
	if _, err := w.WriteTo(io.Writer(f)); err != nil {
		return fmt.Errorf("plots: %s: %w", path, err)
	}
	return f.CloseAtomicallyReplace()
}
