"""A prompt is written once; when its artist departs it is erased."""

from django.db import migrations

from gateway.triggers import erasable, fixed, instead

ASKED = (
    *("membership_id", "model_id", "width", "height", "seconds", "fps", "frames"),
    *("steps", "guidance", "seed", "credits", "test"),
)


class Migration(migrations.Migration):
    dependencies = [("generation", "0008_guests"), ("gateway", "0018_erasing")]
    operations = instead(
        fixed("generation_generation", *ASKED, "prompt"),
        fixed("generation_generation", *ASKED),
        erasable("generation_generation", "prompt"),
    )
