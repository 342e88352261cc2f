package sd

import (
	"fmt"
	"io"
	"maps"

	"syntic/tensor/graph"
)

// The stages that one tower serves: its weights for both are there together.
const (
	stageContext = "prompt's keys and values"
	stageUNet    = "UNet"
)

// Stage is one part of drawing and what it takes.
type Stage struct {
	Name       string
	Runs       int // for one batch: of texts, steps, pictures or tiles
	graph.Need     // of a run; its memory is that of all programs the stage keeps
}

// Plan tells what drawing a batch of pictures takes, stage by stage, before any
// weight is read.
//
// Errors: those of Start about settings; an operation the device can't run.
func (p *Pipeline) Plan(batch int, s Settings) ([]Stage, error) {
	s, err := p.Complete(s)
	if err != nil {
		return nil, err
	}
	schedule, err := p.scheduler(s)
	if err != nil {
		return nil, err
	}
	if batch < 1 || batch > maxBatch {
		return nil, fmt.Errorf("%d pictures at once: must lie between 1 and %d", batch, maxBatch)
	}
	k := p.stepKey(batch, s, schedule)
	h, w := k.h, k.w
	if err := p.UNet.possible(k.batch, h, w); err != nil {
		return nil, err
	}
	th, tw := h, w
	if s.Tiles {
		th, tw = min(h, tileCells), min(w, tileCells)
	}
	together := p.together(batch, s)
	if err := p.VAE.possible(together, th*p.VAE.Factor(), tw*p.VAE.Factor()); err != nil {
		return nil, err
	}
	text := func(n int) record { return func(b *graph.Builder) { p.Text.Record(b, n, k.length) } }
	decode := func(n int) record { return func(b *graph.Builder) { p.VAE.decode(b, n, th, tw) } }
	unet := func(f func(*graph.Builder, unetKey)) record { return func(b *graph.Builder) { f(b, k) } }
	var texts []record // of the batches that drawings of this size can meet
	for size := 1; size <= min(k.batch, p.texts()); size *= 2 {
		texts = append(texts, text(size))
	}
	list := []struct {
		name  string
		runs  int
		run   record
		ready []record // what is kept ready; run alone if nil
	}{
		{"text encoder", k.batch, text(1), texts},
		{"picture encoder", 1, func(b *graph.Builder) { p.VAE.encode(b, 1, s.Height, s.Width) }, nil},
		{stageContext, 1, func(b *graph.Builder) { p.UNet.recordContext(b, k.promptKey) }, nil},
		{stageUNet, schedule.Steps(), unet(p.UNet.recordStep), []record{unet(p.UNet.recordLoad), unet(p.UNet.recordStep), unet(p.UNet.recordFetch)}},
		{"picture decoder", batch * len(tiles(h)) * len(tiles(w)), decode(1), []record{decode(together)}},
	}
	if !s.Tiles {
		list[4].runs = batch
	}
	var stages []Stage
	for _, l := range list {
		if l.name == "picture encoder" && s.Init == nil {
			continue
		}
		need, err := measure(p.dev, l.run, l.ready)
		if err != nil {
			return nil, err
		}
		stages = append(stages, Stage{l.name, l.runs, need})
	}
	return stages, nil
}

// record records a program.
type record = func(b *graph.Builder)

// measure returns the operations of a run and the memory of the programs ready.
func measure(d graph.Device, run record, ready []record) (graph.Need, error) {
	need, err := graph.Measure(d, run)
	if err != nil || ready == nil {
		return need, err
	}
	need.Arena = 0
	for _, r := range ready {
		n, err := graph.Measure(d, r)
		if err != nil {
			return need, err
		}
		need.Arena += n.Arena
		maps.Copy(need.Weights, n.Weights)
	}
	return need, nil
}

// Resident returns the memory of all stages ready at once, and of the largest
// that must be, which is what a lean Pipeline takes.
func Resident(stages []Stage) (all, lean int) {
	var needs, unet []graph.Need
	for _, s := range stages {
		needs = append(needs, s.Need)
		switch s.Name {
		case stageUNet, stageContext:
			unet = append(unet, s.Need)
		default:
			lean = max(lean, graph.Bytes(s.Need))
		}
	}
	return graph.Bytes(needs...), max(lean, graph.Bytes(unet...))
}

// release frees a tower's programs and weights where the Pipeline is lean.
func (p *Pipeline) release(tower io.Closer) error {
	if !p.Lean {
		return nil
	}
	err := tower.Close()
	p.dev.Trim()
	return err
}
