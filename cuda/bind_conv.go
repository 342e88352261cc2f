//go:build cuda && linux

package cuda

import (
	"fmt"

	"gorgonia.org/cu"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// taps returns a convolution's weight as [groups][KH·KW·C/groups][ld].
func (d *Device) taps(p *graph.Param, a *graph.ConvOp) (at cu.DevicePtr, ld int, err error) {
	cg, og, taps := a.C/a.Groups, a.O/a.Groups, a.KH*a.KW
	ld = ceil(og, 4) * 4
	at, err = d.pack(p, fmt.Sprint("taps of groups ", a.Groups), func() ([]byte, error) {
		v, err := p.Float32s()
		if err != nil {
			return nil, err
		}
		w := make([]float32, a.Groups*taps*cg*ld)
		for o := range a.O {
			g := o / og
			for c := range cg {
				for t := range taps {
					w[((g*taps+t)*cg+c)*ld+o%og] = v[(o*cg+c)*taps+t]
				}
			}
		}
		return bytesOf(w), nil
	})
	return at, ld, err
}

func (d *Device) conv(op *graph.Op, a *graph.ConvOp) (graph.Step, error) {
	bias, err := d.plain(op.In[2])
	if err != nil {
		return nil, err
	}
	m := a.N * a.OutH * a.OutW
	if a.KH*a.KW*a.StrideH*a.StrideW*a.Groups == 1 && a.Pad == (graph.Pad{}) && op.In[4] == nil {
		w, ld, err := d.matrix(op.In[1].Param, graph.NK, a.C, a.O)
		if err != nil {
			return nil, err
		}
		return d.product(op, w, bias, m, a.O, a.C, a.C, ld, a.O, a.Act), nil
	}
	w, ld, err := d.taps(op.In[1].Param, a)
	if err != nil {
		return nil, err
	}
	og := a.O / a.Groups
	tile := d.tile(m, og, a.Groups)
	return launches(func(mem *memory) {
		args := new(cux.Args).Ptr(mem.at(op.Out), mem.at(op.In[0]), w, bias, mem.at(op.In[3]), mem.at(op.In[4])).
			Int(a.N, a.H, a.W, a.C, a.O, a.KH, a.KW, a.StrideH, a.StrideW, a.DilH, a.DilW, a.Pad.Top, a.Pad.Left, a.OutH, a.OutW, a.Groups, ld, int(a.Act), int(a.NormAct))
		if m > 0 {
			mem.launch(fmt.Sprint("conv_", tile), cux.Grid{X: ceil(m, tile), Y: ceil(og, 64), Z: a.Groups}, args)
		}
	}), nil
}

func (d *Device) maxPool(op *graph.Op, a *graph.MaxPoolOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("max_pool", a.N*a.OutH*a.OutW*a.C, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0])).Int(a.H, a.W, a.C, a.K, a.Stride, a.Pad, a.OutH, a.OutW))
	}), nil
}

func (d *Device) upsample(op *graph.Op, a *graph.UpsampleOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.each("upsample", a.N*a.OutH*a.OutW*a.C, new(cux.Args).Ptr(m.at(op.Out), m.at(op.In[0])).Int(a.H, a.W, a.C, a.OutH, a.OutW))
	}), nil
}
