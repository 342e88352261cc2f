package verify

import (
	"os"

	"syntic/models/clip"
	"syntic/models/detr"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// loaded is what every model's player holds: a device of its own, whose packed
// weights go with it, and the weights' source.
type loaded struct {
	dev graph.Device
	src weights.Source
}

func (l *loaded) close() error {
	if l.src != nil {
		l.src.Close()
	}
	return l.dev.Close()
}

// load makes a device, finds the weights and gives both to the model's loader.
// root returns the model without weights, whose parameters' names synthetic
// weights are made for.
func (s *suite) load(e *entry, root func(config []byte) (any, error), load func(d graph.Device, config []byte, src weights.Source) error) (l loaded, err error) {
	config, err := os.ReadFile(s.path(e.Config))
	if err != nil {
		return l, err
	}
	if config, err = backboneConfig(config); err != nil {
		return l, err
	}
	m, err := root(config)
	if err != nil {
		return l, err
	}
	list, blank := unlisted(nn.List(m, ""))
	if e.Weights == "synthetic" {
		seed, err := s.manifest.seed(e)
		if err != nil {
			return l, err
		}
		l.src = weights.Synthetic(seed, list)
	} else if l.src, err = weights.Open(s.path(e.Weights)); err != nil {
		return l, err
	} else {
		_, naming := weights.Detect(l.src)
		l.src = weights.Rename(l.src, naming)
	}
	l.src = withZeros(l.src, blank)
	if l.dev, err = s.opts.Device(); err != nil {
		l.src.Close()
		return l, err
	}
	if err := load(l.dev, config, l.src); err != nil {
		l.close()
		return l, err
	}
	return l, nil
}

// The models without weights, whose parameters' names and shapes are wanted.

func newCLIP(config []byte) (any, error) {
	c, err := clip.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	return clip.New(c), nil
}

func newText(config []byte) (any, error) {
	t, err := clip.ParseText(config)
	if err != nil {
		return nil, err
	}
	return clip.NewText(t), nil
}

func newDETR(config []byte) (any, error) {
	c, err := detr.ParseConfig(config)
	if err != nil {
		return nil, err
	}
	return detr.New(c), nil
}

func newDecap(config []byte) (any, error) { return makeDecap(nil, config) }
