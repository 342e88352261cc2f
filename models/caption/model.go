package caption

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"syntic/models/decoder"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Model is a whole captioner.
//
// Concurrency: one call at a time.
type Model struct {
	Encoder  *Encoder
	Detector *Detector // nil where the model folder has none
	Decoder  *decoder.Model
	Tags     *Vocabulary // nil without a detector
	Memory   *Memory     // nil where the model folder has none
	Settings Settings

	prefix  *Prefix
	dev     graph.Device
	cache   *graph.Cache[programKey]
	sources []weights.Source
}

// Load opens a model directory: clip/ and captioner/, and detr/ where objects
// are wanted, each in Hugging Face's layout.
func Load(ctx context.Context, d graph.Device, dir weights.Dir) (*Model, error) {
	m := &Model{dev: d, cache: graph.NewCache[programKey](8)}
	if err := m.load(ctx, dir); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Model) load(ctx context.Context, dir weights.Dir) (err error) {
	if m.Encoder, err = LoadEncoder(m.dev, dir); err != nil {
		return err
	}
	captioner := dir.Sub("captioner")
	if err := m.loadCaptioner(captioner); err != nil {
		return err
	}
	if !dir.Sub("detr").Has("config.json") {
		return nil
	}
	if m.Detector, err = LoadDetector(m.dev, dir); err != nil {
		return err
	}
	return m.loadTags(ctx, captioner)
}

// loadTags reads the features of the detector's labels, or computes them.
func (m *Model) loadTags(ctx context.Context, d weights.Dir) (err error) {
	names := m.Detector.Labels()
	switch {
	case d.Has("tags.json"):
		m.Tags, err = readVocabulary(d, m.Encoder.Dim())
	case m.prefix.Attn != nil:
		m.Tags, err = encodeVocabulary(ctx, m.Encoder, names, m.Settings.Template)
	default:
		m.Tags = &Vocabulary{Names: names}
	}
	if err == nil && len(m.Tags.Names) != len(names) {
		err = fmt.Errorf("%s/tags.json: %d names for the detector's %d labels", d, len(m.Tags.Names), len(names))
	}
	return err
}

// open remembers a source, so that Close closes it.
func (m *Model) open(d weights.Dir, file string) (weights.Source, error) {
	src, err := d.Weights(file, weights.FamilyDecoder)
	if err == nil {
		m.sources = append(m.sources, src)
	}
	return src, err
}

func (m *Model) loadCaptioner(d weights.Dir) error {
	var settings []byte
	var err error
	if d.Has("syntic.json") {
		if settings, err = d.Read("syntic.json"); err != nil {
			return err
		}
	}
	if m.Settings, err = ParseSettings(settings); err != nil {
		return d.Name(err)
	}
	config, err := d.Read("config.json")
	if err != nil {
		return err
	}
	cfg, err := decoder.ParseConfig(config)
	if err != nil {
		return d.Name(err)
	}
	src, err := m.open(d, "")
	if err != nil {
		return err
	}
	if err := m.loadDecoder(d, cfg, src); err != nil {
		return d.Name(err)
	}
	if cfg.Vocab != m.Encoder.Tokens.VocabSize() {
		return fmt.Errorf("%s: the decoder has %d tokens, the tokenizer %d", d, cfg.Vocab, m.Encoder.Tokens.VocabSize())
	}
	return m.loadDefaultMemory(d)
}

// loadDecoder fills the decoder and the prefix from one of two layouts: ours,
// GPT-2 names with prefix.safetensors beside, or DeCap's single checkpoint.
func (m *Model) loadDecoder(d weights.Dir, cfg decoder.Config, src weights.Source) error {
	dim := m.Encoder.Dim()
	m.Decoder = decoder.New(m.dev, cfg)
	if !d.Has("prefix.safetensors") {
		m.prefix = NewPrefix(dim, cfg.Width, m.Settings.Heads, false)
		return nn.Load(&struct {
			Decoder *decoder.Model `w:"decoder"`
			Project *nn.Linear     `w:"clip_project.model.0"`
		}{m.Decoder, m.prefix.Image}, "", src)
	}
	if err := nn.Load(m.Decoder, "", src); err != nil {
		return err
	}
	prefix, err := m.open(d, "prefix.safetensors")
	if err != nil {
		return err
	}
	aux := false
	for _, n := range prefix.Names() {
		aux = aux || strings.HasPrefix(n, "aux_")
	}
	if aux && dim%m.Settings.Heads != 0 {
		return fmt.Errorf("features of %d values don't divide into %d heads", dim, m.Settings.Heads)
	}
	m.prefix = NewPrefix(dim, cfg.Width, m.Settings.Heads, aux)
	return nn.Load(m.prefix, "", prefix)
}

// loadDefaultMemory opens the memory that the settings name, or the only
// support_*.safetensors of the folder.
func (m *Model) loadDefaultMemory(d weights.Dir) error {
	name := m.Settings.Memory
	if name == "" {
		found, err := d.Glob("support*.safetensors")
		if err != nil || len(found) == 0 {
			return err
		}
		if len(found) > 1 {
			return fmt.Errorf("%s has several memories (%s); name one in syntic.json or with --memory", d, strings.Join(found, ", "))
		}
		name = found[0]
	}
	memory, err := openMemory(d, name)
	if err != nil {
		return err
	}
	return m.SetMemory(memory)
}

// SetMemory makes the captioner project onto another support set, such as texts
// of the domain that the pictures come from, and closes the former one. The
// memory is the model's from then on; one that doesn't fit is closed.
func (m *Model) SetMemory(memory *Memory) error {
	if d := m.Encoder.Dim(); memory.Dim() != d {
		return errors.Join(fmt.Errorf("%s: features of %d values, but CLIP's have %d", memory.Name(), memory.Dim(), d), memory.Close())
	}
	err := m.cache.Close()
	if m.Memory != nil {
		err = errors.Join(err, m.Memory.Close())
	}
	m.Memory = memory
	return err
}

// Close frees the programs and closes the files.
func (m *Model) Close() error {
	errs := []error{m.cache.Close()}
	if m.Encoder != nil {
		errs = append(errs, m.Encoder.Close())
	}
	if m.Detector != nil {
		errs = append(errs, m.Detector.Close())
	}
	if m.Decoder != nil {
		errs = append(errs, m.Decoder.Close())
	}
	if m.Memory != nil {
		errs = append(errs, m.Memory.Close())
	}
	for _, s := range m.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
