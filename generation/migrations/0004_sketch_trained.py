"""What an artist should know of a generation, the words that a model knows, and what Sketch's profile says by now."""

import tomllib
from pathlib import Path
from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

import generation.models

FACTS = ("revision", "prompt_words", "training_data", "note", "examples", "vocabulary")


def learned(apps: Any, schema_editor: Any) -> None:
    """A gateway founded with the untrained model draws with the trained one from now on, and its catalogue says so."""
    catalogue = tomllib.loads((Path(__file__).parents[1] / "catalogue.toml").read_text())
    sketch = next(model for model in catalogue["model"] if model["slug"] == "sketch")
    untrained = apps.get_model("generation", "ModelProfile").objects.filter(slug="sketch", revision="untrained-1")
    untrained.update(**{name: sketch[name] for name in FACTS})


class Migration(migrations.Migration):
    dependencies = [("generation", "0003_once")]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="notes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                blank=True,
                default=list,
                size=None,
                verbose_name="what its artist should know",
            ),
        ),
        migrations.AddField(
            model_name="modelprofile",
            name="vocabulary",
            field=models.JSONField(
                blank=True,
                default=list,
                validators=[generation.models.words_by_kind],
                verbose_name="the words that it knows, by kind; empty for a model that reads any",
            ),
        ),
        migrations.RunPython(learned, migrations.RunPython.noop),
    ]
