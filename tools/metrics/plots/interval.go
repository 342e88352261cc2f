package plots

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// interval draws confidence intervals over shifted bars, which the plotter of
// error bars cannot shift.
type interval struct {
	bars          [][3]float64 // position, low, high
	offset, width vg.Length
}

// Plot implements plot.Plotter.
func (v interval) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	style := draw.LineStyle{Color: color.Black, Width: vg.Points(0.8)}
	for _, b := range v.bars {
		x, lo, hi := tx(b[0])+v.offset, ty(b[1]), ty(b[2])
		c.StrokeLine2(style, x, lo, x, hi)
		for _, y := range []vg.Length{lo, hi} {
			c.StrokeLine2(style, x-v.width/2, y, x+v.width/2, y)
		}
	}
}

// DataRange implements plot.DataRanger.
func (v interval) DataRange() (xmin, xmax, ymin, ymax float64) {
	for i, b := range v.bars {
		if i == 0 {
			xmin, xmax, ymin, ymax = b[0], b[0], b[1], b[2]
		}
		xmin, xmax = min(xmin, b[0]), max(xmax, b[0])
		ymin, ymax = min(ymin, b[1]), max(ymax, b[2])
	}
	return xmin, xmax, ymin, ymax
}
