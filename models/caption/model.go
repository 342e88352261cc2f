package caption

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"syntic/models/clip"
	"syntic/models/decoder"
	"syntic/models/detr"
	"syntic/models/token"
	"syntic/models/vision"
	"syntic/nn"
	"syntic/tensor/graph"
	"syntic/weights"
)

// Model is a whole captioner.
//
// Concurrency: one call at a time.
type Model struct {
	CLIP     *clip.Model
	Detector *detr.Model // nil where the model folder has none
	Decoder  *decoder.Model
	Tokens   *token.Tokenizer
	Tags     *Vocabulary // nil without a detector
	Memory   *Memory     // nil where the model folder has none
	Settings Settings

	clipInput, detrInput vision.Config
	prefix               *Prefix
	dev                  graph.Device
	cache                *graph.Cache[programKey]
	sources              []weights.Source
}

// The folders of a model directory.
const (
	clipDir      = "clip"
	detrDir      = "detr"
	captionerDir = "captioner"
)

// Load opens a model directory: clip/ and captioner/, and detr/ where objects
// are wanted, each in Hugging Face's layout.
func Load(ctx context.Context, d graph.Device, dir Dir) (*Model, error) {
	m := &Model{dev: d, cache: graph.NewCache[programKey](8)}
	if err := m.load(ctx, dir); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Model) load(ctx context.Context, dir Dir) error {
	if err := m.loadCLIP(dir.Sub(clipDir)); err != nil {
		return err
	}
	if err := m.loadCaptioner(dir.Sub(captionerDir)); err != nil {
		return err
	}
	if det := dir.Sub(detrDir); det.Has("config.json") {
		if err := m.loadDetector(ctx, det, dir.Sub(captionerDir)); err != nil {
			return err
		}
	}
	return nil
}

// open remembers a source, so that Close closes it.
func (m *Model) open(d Dir, file string) (weights.Source, error) {
	src, err := d.Weights(file)
	if err == nil {
		m.sources = append(m.sources, src)
	}
	return src, err
}

func (m *Model) loadCLIP(d Dir) error {
	config, err := d.Read("config.json")
	if err != nil {
		return err
	}
	src, err := m.open(d, "")
	if err != nil {
		return err
	}
	if m.CLIP, err = clip.Load(m.dev, config, src); err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	if m.Tokens, err = d.Tokenizer(); err != nil {
		return err
	}
	m.clipInput, err = d.Preprocessor(vision.CLIPConfig(m.CLIP.Config().Vision.Image))
	return err
}

func (m *Model) loadDetector(ctx context.Context, d, captioner Dir) error {
	config, err := d.Read("config.json")
	if err != nil {
		return err
	}
	src, err := m.open(d, "")
	if err != nil {
		return err
	}
	if m.Detector, err = detr.Load(m.dev, config, src); err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	if m.detrInput, err = d.Preprocessor(vision.DETRConfig()); err != nil {
		return err
	}
	names := m.Detector.Config().Labels
	if captioner.Has("tags.json") {
		m.Tags, err = captioner.readVocabulary(m.CLIP.Config().Projection)
	} else if m.prefix.Attn != nil {
		m.Tags, err = encodeVocabulary(ctx, m.CLIP, m.Tokens, names, m.Settings.Template)
	} else {
		m.Tags = &Vocabulary{Names: names}
	}
	if err == nil && len(m.Tags.Names) != len(names) {
		err = fmt.Errorf("%s/tags.json: %d names for the detector's %d labels", captioner, len(m.Tags.Names), len(names))
	}
	return err
}

func (m *Model) loadCaptioner(d Dir) error {
	var settings []byte
	var err error
	if d.Has("syntic.json") {
		if settings, err = d.Read("syntic.json"); err != nil {
			return err
		}
	}
	if m.Settings, err = ParseSettings(settings); err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	config, err := d.Read("config.json")
	if err != nil {
		return err
	}
	cfg, err := decoder.ParseConfig(config)
	if err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	src, err := m.open(d, "")
	if err != nil {
		return err
	}
	if err := m.loadDecoder(d, cfg, src); err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	if cfg.Vocab != m.Tokens.VocabSize() {
		return fmt.Errorf("%s: the decoder has %d tokens, the tokenizer of %s %d", d, cfg.Vocab, clipDir, m.Tokens.VocabSize())
	}
	return m.loadDefaultMemory(d)
}

// loadDecoder fills the decoder and the prefix from one of two layouts: ours,
// GPT-2 names with prefix.safetensors beside, or DeCap's single checkpoint.
func (m *Model) loadDecoder(d Dir, cfg decoder.Config, src weights.Source) error {
	dim := m.CLIP.Config().Projection
	m.Decoder = decoder.New(m.dev, cfg)
	if !d.Has("prefix.safetensors") {
		m.prefix = newPrefix(dim, cfg.Width, m.Settings.Heads, false)
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
	m.prefix = newPrefix(dim, cfg.Width, m.Settings.Heads, aux)
	return nn.Load(m.prefix, "", prefix)
}

// loadDefaultMemory opens the memory that the settings name, or the only
// support_*.safetensors of the folder.
func (m *Model) loadDefaultMemory(d Dir) error {
	name := m.Settings.Memory
	if name == "" {
		found, err := d.glob("support*.safetensors")
		if err != nil || len(found) == 0 {
			return err
		}
		if len(found) > 1 {
			return fmt.Errorf("%s has several memories (%s); name one in syntic.json or with --memory", d, strings.Join(found, ", "))
		}
		name = found[0]
	}
	memory, err := d.memory(name)
	if err != nil {
		return err
	}
	return m.SetMemory(memory)
}

// SetMemory makes the captioner project onto another support set, such as texts
// of the domain that the pictures come from, and closes the former one.
func (m *Model) SetMemory(memory *Memory) error {
	if d := m.CLIP.Config().Projection; memory.Dim() != d {
		return fmt.Errorf("%s: features of %d values, but CLIP's have %d", memory.Name(), memory.Dim(), d)
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
	if m.CLIP != nil {
		errs = append(errs, m.CLIP.Close())
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
