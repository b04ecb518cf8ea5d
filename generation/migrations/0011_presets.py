"""How a clip is sped up, until when it may begin, and how long each stage of it took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0019_public_reasons"),
        ("generation", "0010_by_end"),
    ]

    operations = [
        migrations.AddField(
            model_name="generation",
            name="cancel_after",
            field=models.DateTimeField(null=True, verbose_name="not begun by then, it is cancelled"),
        ),
        migrations.AddField(
            model_name="generation",
            name="preset",
            field=models.CharField(default="reference", max_length=20, verbose_name="speed preset"),
        ),
        migrations.AddField(
            model_name="generation",
            name="timings",
            field=models.JSONField(
                blank=True, default=dict, verbose_name="seconds that each stage of its last run took"
            ),
        ),
        migrations.AddField(
            model_name="modelprofile",
            name="modality",
            field=models.CharField(
                choices=[
                    ("text-to-video", "text-to-video"),
                    ("image-to-video", "image-to-video"),
                    ("text-to-image", "text-to-image"),
                ],
                default="text-to-video",
                max_length=20,
                verbose_name="what it takes and gives",
            ),
        ),
        migrations.AddField(
            model_name="modelprofile",
            name="offload",
            field=models.CharField(
                choices=[("none", "none"), ("model", "model"), ("sequential", "sequential")],
                default="none",
                max_length=20,
                verbose_name="what leaves the GPU while it is not needed",
            ),
        ),
        migrations.AddField(
            model_name="modelprofile",
            name="preset",
            field=models.CharField(
                choices=[("reference", "reference"), ("tuned", "tuned"), ("fast", "fast")],
                default="reference",
                help_text="tuned: the same up to rounding. fast: changes the picture a little, and artists read so.",
                max_length=20,
                verbose_name="speed preset",
            ),
        ),
        migrations.AddIndex(
            model_name="generation",
            index=models.Index(
                condition=models.Q(("cancel_after__isnull", False), ("state", "queued")),
                fields=["cancel_after"],
                name="generation_cancel_after",
            ),
        ),
    ]
