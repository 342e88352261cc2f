//go:build cuda && linux

package cuda

import (
	"math"

	"syntic/cuda/internal/cux"
	"syntic/tensor/graph"
)

// wide is the length from which a row gets a block rather than a warp.
const wide = 1024

// rows appends a kernel over m rows of c elements.
func (m *memory) rows(kernel string, rows, c int, a *cux.Args) {
	switch {
	case rows == 0:
	case c >= wide:
		m.launch(kernel+"_256", cux.Grid{X: rows}, a)
	default:
		m.launch(kernel+"_32", cux.Grid{X: ceil(rows, threads/32)}, a)
	}
}

func inverseRoot(n int) float32 { return float32(1 / math.Sqrt(float64(n))) }

func (d *Device) layerNorm(op *graph.Op, a *graph.LayerNormOp) (graph.Step, error) {
	w, b := plain(op.In[1]), plain(op.In[2])
	return launches(func(m *memory) {
		m.rows("layer_norm", a.M, a.C, args(m.view(op.Out), m.view(op.In[0])).Ptr(w.ptr(), b.ptr()).Int(a.M, a.C).F32(a.Eps))
	}, w, b), nil
}

func (d *Device) groupNorm(op *graph.Op, a *graph.GroupNormOp) (graph.Step, error) {
	w, b := plain(op.In[1]), plain(op.In[2])
	return launches(func(m *memory) {
		if a.N > 0 {
			m.launch("group_norm", cux.Grid{X: a.Groups, Y: a.N}, args(m.view(op.Out), m.view(op.In[0])).Ptr(w.ptr(), b.ptr()).Int(a.HW, a.C).F32(a.Eps).Int(int(a.Act)))
		}
	}, w, b), nil
}

func (d *Device) groupNormStats(op *graph.Op, a *graph.GroupNormStatsOp) (graph.Step, error) {
	w, b := plain(op.In[1]), plain(op.In[2])
	return launches(func(m *memory) {
		if a.N > 0 {
			m.launch("group_norm_stats", cux.Grid{X: a.Groups, Y: a.N}, cux.Put(new(cux.Args).Ptr(m.at(op.Out)), m.view(op.In[0])).Ptr(w.ptr(), b.ptr()).Int(a.HW, a.C).F32(a.Eps))
		}
	}, w, b), nil
}

func (d *Device) softmax(op *graph.Op, a *graph.SoftmaxOp) (graph.Step, error) {
	log := 0
	if a.Log {
		log = 1
	}
	return launches(func(m *memory) {
		m.rows("softmax", a.M, a.C, args(m.view(op.Out), m.view(op.In[0])).Int(a.M, a.C).F32(a.Scale).Int(log))
	}), nil
}

func (d *Device) normalizer(op *graph.Op, a *graph.NormalizerOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.rows("normalizer", a.M, a.C, args(m.view(op.Out), m.view(op.In[0])).Int(a.M, a.C))
	}), nil
}

func (d *Device) l2Norm(op *graph.Op, a *graph.L2NormOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.rows("l2_norm", a.M, a.C, args(m.view(op.Out), m.view(op.In[0])).Int(a.M, a.C))
	}), nil
}

func (d *Device) argMax(op *graph.Op, a *graph.ArgMaxOp) (graph.Step, error) {
	return launches(func(m *memory) {
		m.rows("arg_max", a.M, a.C, cux.Put(new(cux.Args).Ptr(m.at(op.Out)), m.view(op.In[0])).Int(a.M, a.C))
	}), nil
}

func (d *Device) topK(op *graph.Op, a *graph.TopKOp) (graph.Step, error) {
	return launches(func(m *memory) {
		if a.M > 0 {
			m.launch("top_k", cux.Grid{X: a.M}, cux.Put(new(cux.Args).Ptr(m.at(op.Out)), m.view(op.In[0])).Int(a.C, a.K))
		}
	}), nil
}
